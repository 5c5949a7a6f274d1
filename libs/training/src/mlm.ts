/**
 * Pre-training of an encoder: masked words of raw text are found again (Devlin et al. 2019).
 *
 * Departures from the literature: no prediction of the next sentence (Liu et al. 2019 found it useless); as in the other
 * stages, Muon for the matrices and a linear fall of the learning rate at the end; and a model that is not random at first:
 * it looks at the words beside one, and has counted which words stand beside which (`word-statistics.ts`).
 */
import { Random } from '@crucible/foundation';
import {
  type BertConfig,
  encode,
  type EncoderConfig,
  encoderParameters,
  hiddenRows,
  initEncoder,
  maskedLanguageLogits,
  type ModelWeights,
  type ParameterTree,
  wordCoordinates,
} from '@crucible/nn';
import { warmupDecay } from '@crucible/optim';
import { compile, type CompiledProgram, itemOf, type Tensor, type TensorType } from '@crucible/tensor';
import { assertFits } from './assert-fits.ts';
import { type MaskedBatch, maskedSource, type MaskedVocabulary } from './batches/masked-windows.ts';
import type { TokenSource } from './batches/token-windows.ts';
import type { OptimizerName } from './decoder-optimizer.ts';
import { encoderOptimizer } from './encoder-optimizer.ts';
import { predictionLoss } from './losses.ts';
import { computingOf, runLoop, type StageContext } from './stage.ts';
import { resumedFrom, stepState } from './step-state.ts';
import { TrainStep } from './train-step.ts';
import { beginWithStatistics, firstTokens, wordStatistics } from './word-statistics.ts';

export interface MlmSettings {
  readonly seed: number;
  /** Of the model that is made; no more than `vocabulary` tokens are learned. These five are not used where there is a base. */
  readonly vocabulary: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly steps: number;
  /** Rows of a batch. */
  readonly rows: number;
  /** Tokens of a row. */
  readonly time: number;
  /** Share of the tokens that are to be found. */
  readonly maskShare: number;
  /** Whether words are masked whole, or each token by itself. */
  readonly wholeWords: boolean;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** Share of the steps over which the learning rate falls to 0. */
  readonly decayShare: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly validateEvery: number;
  /** Tokens that are counted before the first step, at most; 0: words begin at random. Not used where there is a base. */
  readonly countedTokens: number;
}

export const mlmDefaults: MlmSettings = {
  seed: 1,
  vocabulary: 8192,
  hiddenSize: 128,
  layers: 4,
  heads: 4,
  maxPositions: 128,
  steps: 1500,
  rows: 32,
  time: 128,
  maskShare: 0.15,
  wholeWords: true,
  optimizer: 'muon',
  learningRate: 0.005,
  warmupSteps: 50,
  decayShare: 0.5,
  weightDecay: 0.05,
  clipNorm: 1,
  validateEvery: 250,
  countedTokens: 3e6,
};

export interface MlmInputs {
  readonly config: EncoderConfig;
  readonly vocabulary: MaskedVocabulary;
  /** Text without special tokens. */
  readonly source: TokenSource;
  /** Text to measure on. Default: nothing is measured. */
  readonly validation?: TokenSource;
  /** Weights to go on from. Default: random ones. */
  readonly initial?: ModelWeights;
}

/** The model that the settings ask for. */
export function encoderConfigOf(settings: MlmSettings, vocabularySize: number): BertConfig {
  const { hiddenSize, layers, heads, maxPositions } = settings;
  return {
    family: 'bert',
    vocabularySize,
    hiddenSize,
    intermediateSize: 4 * hiddenSize,
    layers,
    heads,
    maxPositions,
    tokenTypes: 2,
    layerNormEpsilon: 1e-12,
    activation: 'gelu',
  };
}

/** Metrics: `loss` (nats a masked token), `masked_accuracy`, `grad_norm`, `lr`, `tokens_per_s`, `val_loss`, `val_masked_accuracy`. */
export async function mlm(
  inputs: MlmInputs,
  given: Partial<MlmSettings> = {},
  context: StageContext<ModelWeights> = {},
): Promise<{ readonly weights: ModelWeights; readonly metrics: Readonly<Record<string, number>> }> {
  const settings = { ...mlmDefaults, ...given };
  const { config, vocabulary, validation } = inputs;
  assertFits('mlm', settings, config);
  const { seed, steps, rows, time, wholeWords } = settings;
  const identity = { ...settings, config };
  const head = { kind: 'masked-language' } as const;
  const optimizer = encoderOptimizer({ ...settings, parameters: encoderParameters(config, head) });
  const schedule = warmupDecay({
    steps,
    warmup: Math.min(settings.warmupSteps, steps),
    decayShare: settings.decayShare,
    shape: 'linear',
  });
  const masking = { share: settings.maskShare, wholeWords };
  const source = maskedSource(inputs.source, vocabulary, masking, seed);

  const saved = context.checkpoint?.load(identity);
  const begun = async (): Promise<ModelWeights> => {
    const random = Random.seeded(seed).fork('parameters');
    const weights = initEncoder(config, head, random);
    // Of a short training no more is counted than four times what it reads.
    const tokens = Math.min(settings.countedTokens, 4 * steps * rows * time);
    if (tokens === 0) return weights;
    const options = { size: config.vocabularySize, width: wordCoordinates(config), random: random.fork('words') };
    const text = firstTokens(inputs.source, tokens, time);
    const statistics = await wordStatistics(text, { ...options, signal: context.signal });
    beginWithStatistics(weights, config, statistics);
    return weights;
  };
  const training = new TrainStep<ModelWeights, MaskedBatch>(
    (saved?.trees['parameters'] as ModelWeights | undefined) ?? inputs.initial ?? (await begun()),
    (parameters, batch) => {
      const { loss, accuracy } = maskedLoss(parameters, config, batch);
      return { loss, metrics: { masked_accuracy: accuracy } };
    },
    { name: 'masked pre-training', optimizer, ...computingOf(context) },
    resumedFrom(saved),
  );
  // The same masks for every model.
  const validator =
    validation && new MaskedValidation(config, maskedSource(validation, vocabulary, masking, 0), rows, time);

  try {
    const metrics = await runLoop(
      {
        stage: 'mlm',
        steps,
        saved,
        step: async (n) => {
          const start = performance.now();
          const learningRate = settings.learningRate * schedule(n);
          const { loss, gradientNorm, metrics: own } = await training.run(source.batch(n, rows, time), learningRate);
          const seconds = (performance.now() - start) / 1000;
          return { loss, ...own, grad_norm: gradientNorm, lr: learningRate, tokens_per_s: (rows * time) / seconds };
        },
        weights: async () => (await training.onHost()).parameters,
        state: () => stepState(training, identity),
        ...(validator && {
          evaluate: async () => validator.measure((await training.lent()).parameters),
          evaluateEvery: settings.validateEvery,
        }),
      },
      context,
    );
    const { parameters: weights } = await training.lent();
    await context.publish?.(weights, { step: steps, finished: true, metrics });
    return { weights, metrics };
  } finally {
    await training.dispose();
    await validator?.dispose();
  }
}

/** Cross-entropy in nats of the masked tokens, and the share that is found; weighted sums. */
function maskedLoss(
  weights: ParameterTree<Tensor>,
  config: EncoderConfig,
  { ids, at, targets, weights: shares }: Readonly<Record<'ids' | 'at' | 'targets' | 'weights', Tensor>>,
): { readonly loss: Tensor; readonly accuracy: Tensor } {
  const [rows, time] = ids.shape as [number, number];
  const mask = ids.graph.constant('int32', [rows, time], new Int32Array(rows * time).fill(1));
  const hidden = hiddenRows(encode(weights, config, { ids, mask }), at);
  return predictionLoss(maskedLanguageLogits(weights, config, hidden), targets, shares);
}

type Signature = Readonly<Record<'ids' | 'at' | 'targets' | 'weights', TensorType>> & { readonly model: ModelWeights };

const validationBatches = 8;

/** The loss on a few batches of held-out text, with masks that do not change. */
class MaskedValidation {
  readonly #config: EncoderConfig;
  readonly #batches: readonly MaskedBatch[];
  #program: CompiledProgram<Signature, { readonly loss: Tensor; readonly accuracy: Tensor }> | undefined;

  constructor(
    config: EncoderConfig,
    source: { readonly batch: (step: number, rows: number, time: number) => MaskedBatch },
    rows: number,
    time: number,
  ) {
    this.#config = config;
    this.#batches = Array.from({ length: validationBatches }, (_, n) => source.batch(n, rows, time));
  }

  async measure(model: ModelWeights): Promise<{ readonly val_loss: number; readonly val_masked_accuracy: number }> {
    const [first] = this.#batches as [MaskedBatch];
    this.#program ??= await compile<Signature, { loss: Tensor; accuracy: Tensor }>(
      { model, ...first },
      (inputs) => maskedLoss(inputs.model, this.#config, inputs),
      { name: 'masked validation' },
    );
    let [loss, accuracy] = [0, 0];
    for (const batch of this.#batches) {
      const result = await this.#program.run({ model, ...batch });
      loss += itemOf(result.loss) / validationBatches;
      accuracy += itemOf(result.accuracy) / validationBatches;
    }
    return { val_loss: loss, val_masked_accuracy: accuracy };
  }

  async dispose(): Promise<void> {
    await this.#program?.dispose();
  }
}
