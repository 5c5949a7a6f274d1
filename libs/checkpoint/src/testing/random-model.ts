import { Random } from '@crucible/foundation';
import { initLanguageModel, initScalarHead, type LlamaConfig } from '@crucible/nn';
import { floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import type { SavedModel, SpecialTokenIds } from '../llama-folder.ts';

type LanguageModel = Extract<SavedModel, { kind: 'language' }>;
type ScalarModel = Extract<SavedModel, { kind: 'scalar' }>;

const smallConfig: LlamaConfig = {
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
  const { model } = initLanguageModel(config, random);
  return { kind: 'scalar', config, weights: randomized({ model, score: initScalarHead(config, random) }), bias };
}

function randomized<Weights extends object>(weights: Weights): Weights {
  const random = Random.seeded(2);
  const normal = ({ shape, data }: NdArray): NdArray => {
    const [mean, deviation] = shape.length === 1 ? [1, 0.3] : [0, 1 / Math.sqrt(shape.at(-1)!)];
    return floats(
      shape,
      Array.from(data, () => mean + deviation * random.normal()),
    );
  };
  return mapTree(weights, isNdArray, normal) as Weights;
}
