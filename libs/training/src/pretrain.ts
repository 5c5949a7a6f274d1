/**
 * Stage 1, pre-training: model A learns to predict the next token of raw text.
 *
 * Departures from the literature: the matrices inside the decoder are trained by Muon (Jordan et al. 2024) in place of
 * AdamW, because in the few minutes of a forge it learns several times as much; the schedule is a short warm-up, a plateau
 * and a linear fall to zero (Hägele et al. 2024) in place of a cosine.
 */
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel, type ModelWeights, type Recompute } from '@crucible/nn';
import { warmupDecay } from '@crucible/optim';
import { mul } from '@crucible/tensor';
import { assertDivides } from './assert-divides.ts';
import { assertFits } from './assert-fits.ts';
import { BitsPerByte, meanPredictionLoss, type ValidationText } from './bits-per-byte.ts';
import type { TokenSource, WindowBatch } from './batches/token-windows.ts';
import { decoderOptimizer } from './decoder-optimizer.ts';
import { computingOf, runLoop, type StageContext } from './stage.ts';
import { resumedFrom, stepState } from './step-state.ts';
import { TrainStep } from './train-step.ts';

export interface PretrainSettings {
  readonly seed: number;
  readonly steps: number;
  /** Rows of a batch. */
  readonly rows: number;
  /** Tokens of a row. */
  readonly time: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** Share of the steps over which the learning rate falls to 0. */
  readonly decayShare: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  /** `block`: layers are worked out again for their gradient, a third slower, in far less memory. */
  readonly recompute: Recompute;
  /** Steps between validations. */
  readonly validateEvery: number;
  /** Parts that a batch is cut into, to save memory. */
  readonly microBatches: number;
}

export const pretrainDefaults: PretrainSettings = {
  seed: 1,
  steps: 560,
  rows: 6,
  time: 256,
  learningRate: 0.005,
  warmupSteps: 20,
  decayShare: 0.4,
  weightDecay: 0.1,
  clipNorm: 1,
  recompute: 'none',
  validateEvery: 140,
  microBatches: 1,
};

export interface PretrainInputs {
  readonly config: DecoderConfig;
  readonly source: TokenSource;
  /** None: no validation. */
  readonly validation?: ValidationText;
  /** Weights to go on from; default: random ones. */
  readonly initial?: ModelWeights;
}

/** Metrics: `loss` (nats a token), `grad_norm`, `lr`, `tokens_per_s`, `val_bpb` (bits a byte). */
export async function pretrain(
  inputs: PretrainInputs,
  given: Partial<PretrainSettings> = {},
  context: StageContext<ModelWeights> = {},
): Promise<{ readonly weights: ModelWeights; readonly metrics: Readonly<Record<string, number>> }> {
  const settings = { ...pretrainDefaults, ...given };
  assertDivides('pretrain', settings, 'rows', 'microBatches');
  assertFits('pretrain', settings, inputs.config);
  const { config, source, validation } = inputs;
  const { seed, steps, rows, time, microBatches } = settings;
  const { recompute, ...others } = settings;
  const identity = { ...others, config };

  const optimizer = decoderOptimizer({ ...settings, config, head: { kind: 'language' } });
  const schedule = warmupDecay({
    steps,
    warmup: Math.min(settings.warmupSteps, steps),
    decayShare: settings.decayShare,
    shape: 'linear',
  });

  const saved = context.checkpoint?.load(identity);
  const training = new TrainStep<ModelWeights, WindowBatch>(
    (saved?.trees['parameters'] as ModelWeights | undefined) ??
      inputs.initial ??
      initLanguageModel(config, Random.seeded(seed).fork('parameters')),
    (parameters, batch) => ({
      loss: mul(meanPredictionLoss(parameters, config, { ...batch, recompute }), 1 / microBatches),
    }),
    { name: 'pre-training', optimizer, ...computingOf(context) },
    resumedFrom(saved),
  );

  const validator = validation && new BitsPerByte(config, validation, { rows, time, device: context.device ?? 'cpu' });

  try {
    const metrics = await runLoop(
      {
        stage: 'pretrain',
        steps,
        saved,
        step: async (n) => {
          const start = performance.now();
          const learningRate = settings.learningRate * schedule(n);
          const parts = Array.from({ length: microBatches }, (_, i) =>
            source.batch(n * microBatches + i, rows / microBatches, time),
          );
          const { loss, gradientNorm } = await training.run(microBatches === 1 ? parts[0]! : parts, learningRate);
          const seconds = (performance.now() - start) / 1000;
          return { loss, grad_norm: gradientNorm, lr: learningRate, tokens_per_s: (rows * time) / seconds };
        },
        weights: async () => (await training.onHost()).parameters,
        state: () => stepState(training, identity),
        ...(validator && {
          evaluate: async () => ({ val_bpb: await validator.measure(training.current.parameters) }),
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
