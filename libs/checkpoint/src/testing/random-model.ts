import { Random } from '@crucible/foundation';
import {
  type DecoderConfig,
  type EncoderConfig,
  initEncoder,
  initLanguageModel,
  type LlamaConfig,
  type ModelWeights,
  withScalarHead,
} from '@crucible/nn';
import { floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import type { SavedModel } from '../model-folder.ts';
import type { SpecialTokenIds } from '../special-token-ids.ts';

type LanguageModel = Extract<SavedModel, { kind: 'language' }>;
type ScalarModel = Extract<SavedModel, { kind: 'scalar' }>;

const smallConfig: LlamaConfig = {
  family: 'llama',
  vocabularySize: 11,
  hiddenSize: 12,
  intermediateSize: 7,
  layers: 2,
  heads: 3,
  keyValueHeads: 1,
  maxPositions: 16,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 500,
  tieEmbeddings: true,
};

export const smallTokens: SpecialTokenIds = { bos: 1, eos: [2, 1], pad: 0 };

/** Weights at which every part matters: no zeros and ones, as training begins with. */
export function randomLanguageModel(change: Partial<LlamaConfig> = {}): LanguageModel {
  const config = { ...smallConfig, ...change };
  return { kind: 'language', config, weights: randomized(initLanguageModel(config, Random.seeded(1))) };
}

export function randomScalarModel(bias: number, change: Partial<LlamaConfig> = {}): ScalarModel {
  const config = { ...smallConfig, tieEmbeddings: false, ...change };
  const random = Random.seeded(1);
  const weights = withScalarHead(initLanguageModel(config, random), config, random);
  return { kind: 'scalar', config, weights: randomized(weights), bias };
}

/** Normal numbers: norms about 1, biases and matrices about 0. */
function randomized(weights: ModelWeights): ModelWeights {
  const random = Random.seeded(2);
  const normal = ({ shape, data }: NdArray): NdArray => {
    const [mean, deviation] = shape.length === 1 ? [1, 0.3] : [0, 1 / Math.sqrt(shape.at(-1)!)];
    return floats(
      shape,
      Array.from(data, () => mean + deviation * random.normal()),
    );
  };
  return mapTree(weights, isNdArray, normal) as ModelWeights;
}

/** One of every family and kind, of so many tokens; all with the maximum length of a sequence 96. */
export function modelsOfAllFamilies(
  vocabularySize: number,
  padId: number,
  hiddenSize = 12,
): Record<string, SavedModel> {
  const random = Random.seeded(3);
  const heads = hiddenSize === 12 ? 3 : 2;
  const decoder = { ...smallConfig, vocabularySize, hiddenSize, heads, maxPositions: 96 };
  const language = (config: DecoderConfig): SavedModel => {
    return { kind: 'language', config, weights: randomized(initLanguageModel(config, random)) };
  };
  const gpt2: DecoderConfig = {
    family: 'gpt2',
    vocabularySize,
    hiddenSize,
    intermediateSize: 7,
    layers: 2,
    heads,
    keyValueHeads: heads,
    maxPositions: 96,
    tieEmbeddings: true,
    layerNormEpsilon: 1e-5,
    activation: 'gelu_new',
  };
  const encoder = {
    vocabularySize,
    hiddenSize,
    intermediateSize: 7,
    layers: 2,
    heads,
    maxPositions: 96,
    tokenTypes: 2,
    layerNormEpsilon: 1e-12,
    activation: 'gelu',
  } as const;
  const bert: EncoderConfig = { ...encoder, family: 'bert' };
  const roberta: EncoderConfig = { ...encoder, family: 'roberta', tokenTypes: 1, padId };
  const masked = (config: EncoderConfig): SavedModel => {
    const weights = randomized(initEncoder(config, { kind: 'masked-language' }, random));
    return { kind: 'masked-language', config, weights };
  };
  const labels = ['bad', 'fair', 'good'];
  const classifier = (config: EncoderConfig): SavedModel => {
    const weights = randomized(initEncoder(config, { kind: 'classifier', labels: 3 }, random));
    return { kind: 'classifier', config, labels, weights };
  };
  return {
    llama: language({
      ...decoder,
      headSize: 6,
      attentionBias: true,
      mlpBias: true,
      ropeScaling: {
        type: 'llama3',
        factor: 4,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalMaxPositions: 16,
      },
    }),
    qwen2: language({ ...decoder, family: 'qwen2', slidingWindow: { size: 5, from: 1 } }),
    qwen3: language({
      ...decoder,
      family: 'qwen3',
      headSize: 8,
      tieEmbeddings: false,
      ropeScaling: {
        type: 'yarn',
        factor: 4,
        originalMaxPositions: 24,
        attentionFactor: 1.25,
        betaFast: 8,
        betaSlow: 0.5,
        truncate: false,
      },
    }),
    gpt2: language(gpt2),
    gpt2Scaled: language({ ...gpt2, scaleScores: false, scaleScoresByLayer: true, tieEmbeddings: false }),
    scalar: randomScalarModel(0.75, { vocabularySize, maxPositions: 96 }),
    bert: masked(bert),
    roberta: masked(roberta),
    bertClassifier: classifier(bert),
    robertaClassifier: classifier(roberta),
    minilm: {
      kind: 'embedding',
      config: bert,
      pooling: { mode: 'mean', normalize: false },
      weights: randomized(initEncoder(bert, { kind: 'embedding' }, random)),
    },
  };
}
