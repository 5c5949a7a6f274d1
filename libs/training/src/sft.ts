/**
 * Stage 2, supervised fine-tuning: model B learns to answer, from A. Only answers are learned, and the token that ends
 * them, so the model learns to stop. Conversations are packed into rows and do not see each other.
 *
 * Departures from the literature: the n-th token of an answer weighs 1/√n in the loss. In the mean over tokens, long
 * answers drown the labels and names that others consist of; in the mean over answers, short ones are learned more often
 * than people give them. Here what an answer begins with counts the same however it goes on. Muon trains the
 * matrices, as in pre-training; the learning rate is constant with a linear fall at the end.
 */
import type { DecoderConfig, ModelWeights, Recompute } from '@crucible/nn';
import { countParameters, warmupDecay } from '@crucible/optim';
import type { SavedAdapter } from '@crucible/checkpoint';
import {
  adapterDefaults,
  adapterOptimizer,
  type AdapterSettings,
  dropoutKey,
  reparametrizationOf,
  trainingPlan,
} from './adapter-training.ts';
import type { ChatSource } from './batches/chat-rows.ts';
import { type PredictionBatch, predictionParts } from './batches/prediction.ts';
import { predictionLoss, predictionsAt } from './losses.ts';
import { assertDivides } from './assert-divides.ts';
import { assertFits } from './assert-fits.ts';
import { decoderOptimizer, type OptimizerName } from './decoder-optimizer.ts';
import { computingOf, runLoop, type StageContext } from './stage.ts';
import { resumedFrom, stepState } from './step-state.ts';
import { TrainStep } from './train-step.ts';

export interface SftSettings {
  readonly seed: number;
  readonly steps: number;
  readonly rows: number;
  readonly time: number;
  /** Parts that the rows are worked out in, one after the other, in the memory of one; rows is a multiple of it. */
  readonly microBatches: number;
  /** `muon` for models that were made with it, `adamw` for others'. */
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** Share of the steps over which the learning rate falls to 0. */
  readonly decayShare: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  /** `block`: layers are worked out again for their gradient, a third slower, in far less memory. */
  readonly recompute: Recompute;
  readonly validateEvery: number;
  /** What is learned, if not all of the model. */
  readonly adapter: AdapterSettings;
}

export const sftDefaults: SftSettings = {
  seed: 1,
  steps: 1500,
  rows: 8,
  time: 256,
  microBatches: 1,
  optimizer: 'muon',
  learningRate: 0.003,
  warmupSteps: 20,
  decayShare: 0.8,
  weightDecay: 0.05,
  clipNorm: 1,
  recompute: 'none',
  validateEvery: 440,
  adapter: adapterDefaults,
};

export interface SftInputs {
  readonly config: DecoderConfig;
  /** Model A. */
  readonly base: ModelWeights;
  readonly source: ChatSource;
  /** Held-out figures of the model as it is, by name. */
  readonly evaluate?: (weights: ModelWeights) => Promise<Readonly<Record<string, number>>>;
  /** What is learned beside the model, which stays as it is. Default: the model itself is. */
  readonly adapter?: SavedAdapter;
}

/** Returns what was learned: the model, or the adapter's parameters. Metrics: `loss` (nats an answer token) and `token_accuracy`, weighted means; `grad_norm`, `lr`, `tokens_per_s`. */
export async function sft(
  { config, base, source, evaluate, adapter }: SftInputs,
  given: Partial<SftSettings> = {},
  context: StageContext<ModelWeights> = {},
): Promise<{
  readonly weights: ModelWeights;
  readonly metrics: Readonly<Record<string, number>>;
  /** Those of a network that is dropped included. */
  readonly trainedParameters: number;
}> {
  const settings = { ...sftDefaults, ...given };
  assertDivides('sft', settings, 'rows', 'microBatches');
  assertFits('sft', settings, config);
  const { steps, rows, time } = settings;
  const { recompute, microBatches, ...others } = settings;
  const identity = { ...others, config };
  const plan = trainingPlan(base, config, adapter, reparametrizationOf(adapter, settings.adapter, settings.seed));
  const optimizer = adapter
    ? adapterOptimizer(settings)
    : decoderOptimizer({ ...settings, config, head: { kind: 'language' } });
  const schedule = warmupDecay({
    steps,
    warmup: Math.min(settings.warmupSteps, steps),
    decayShare: settings.decayShare,
    shape: 'linear',
  });

  const saved = context.checkpoint?.load(identity);
  const training = new TrainStep<ModelWeights, PredictionBatch, ModelWeights>(
    (saved?.trees['parameters'] as ModelWeights | undefined) ?? plan.parameters,
    (parameters, batch, frozen) => {
      const { weights, prefix } = plan.read(parameters, frozen, batch[dropoutKey]);
      const predictions = predictionsAt(weights, config, { ...batch, prefix, recompute }, batch.at);
      const { loss, accuracy } = predictionLoss(predictions, batch.targets, batch.weights);
      return { loss, metrics: { token_accuracy: accuracy } };
    },
    { name: 'fine-tuning', optimizer, frozen: plan.frozen, ...computingOf(context) },
    resumedFrom(saved),
  );

  try {
    const metrics = await runLoop(
      {
        stage: 'sft',
        steps,
        saved,
        step: async (n) => {
          const start = performance.now();
          const learningRate = settings.learningRate * schedule(n);
          const parts = predictionParts(source.batch(n, rows, time), microBatches).map((part, i) => ({
            ...part,
            ...plan.randomness(settings.seed, n * microBatches + i),
          }));
          const {
            loss,
            gradientNorm,
            metrics: own,
          } = await training.run(microBatches === 1 ? parts[0]! : parts, learningRate);
          const seconds = (performance.now() - start) / 1000;
          return { loss, ...own, grad_norm: gradientNorm, lr: learningRate, tokens_per_s: (rows * time) / seconds };
        },
        weights: async () => plan.kept((await training.onHost()).parameters),
        state: () => stepState(training, identity),
        ...(evaluate && {
          evaluate: async () => evaluate(await plan.kept((await training.lent()).parameters)),
          evaluateEvery: settings.validateEvery,
        }),
      },
      context,
    );
    const { parameters } = await training.lent();
    const weights = await plan.kept(parameters);
    await context.publish?.(weights, { step: steps, finished: true, metrics });
    return { weights, metrics, trainedParameters: countParameters(parameters) };
  } finally {
    await training.dispose();
  }
}
