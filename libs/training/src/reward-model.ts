/**
 * Stage 3, the reward model: model C learns from graded answers which one people prefer. It is B with a scalar head in
 * place of the vocabulary; the score is read at the token that ends the answer. Bradley–Terry loss over all pairs of one
 * prompt's answers (Ouyang et al. 2022).
 *
 * Afterwards it is normalised: scores of a reference set (answers as the policy gives them) get mean 0 and standard
 * deviation 1, the deviation folded into the head and the mean kept beside it, so that one KL coefficient suits every
 * reward model.
 */
import { invalidInput, Random } from '@crucible/foundation';
import type { SavedAdapter } from '@crucible/checkpoint';
import { type RowOptions, ScalarScorer, scoreSequences } from '@crucible/inference';
import { type DecoderConfig, type ModelWeights, withScalarHead } from '@crucible/nn';
import { warmupDecay } from '@crucible/optim';
import { type FloatArray, floats } from '@crucible/tensor';
import {
  adapterDefaults,
  adapterOptimizer,
  type AdapterSettings,
  dropoutKey,
  trainingPlan,
  withHead,
} from './adapter-training.ts';
import {
  type AnswerBatch,
  type AnswerGroup,
  answerParts,
  type AnswerSource,
  orderedPairs,
} from './batches/answer-groups.ts';
import { assertDivides } from './assert-divides.ts';
import { assertFits } from './assert-fits.ts';
import { decoderOptimizer, type OptimizerName } from './decoder-optimizer.ts';
import { pairLoss, scoresAt } from './losses.ts';
import { computingOf, runLoop, type StageContext } from './stage.ts';
import { resumedFrom, stepState } from './step-state.ts';
import { TrainStep } from './train-step.ts';

export interface RewardSettings {
  readonly seed: number;
  readonly steps: number;
  /** Prompts of a batch, each with all of its answers. */
  readonly groups: number;
  /** Parts that the groups are worked out in, one after the other, in the memory of one; groups is a multiple of it. */
  readonly microBatches: number;
  /** Longest prompt with answer, in tokens; longer ones lose their beginning. */
  readonly time: number;
  /** `muon` for models that were made with it, `adamw` for others'. */
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly validateEvery: number;
  /** What is learned beside the head, if not all of the model. */
  readonly adapter: AdapterSettings;
}

export const rewardDefaults: RewardSettings = {
  seed: 1,
  steps: 420,
  groups: 10,
  microBatches: 1,
  time: 256,
  optimizer: 'muon',
  learningRate: 0.005,
  warmupSteps: 10,
  weightDecay: 0.05,
  clipNorm: 1,
  validateEvery: 100,
  adapter: adapterDefaults,
};

export interface RewardInputs {
  readonly config: DecoderConfig;
  /** Model B. */
  readonly base: ModelWeights;
  readonly source: AnswerSource;
  readonly pad: number;
  /** Held-out answers, for the accuracy. */
  readonly heldOut: readonly AnswerGroup[];
  /** Prompts with answers whose scores shall have mean 0 and deviation 1. Default: the held-out ones. */
  readonly reference?: readonly (readonly number[])[];
  /** LoRA that is learned in place of the model's own matrices; the result has it in its weights. Default: none. */
  readonly adapter?: SavedAdapter;
}

export interface RewardModel {
  readonly weights: ModelWeights;
  /** Subtracted from every score. */
  readonly bias: number;
}

/** Metrics: `loss`, `accuracy` and `margin` of the batch's pairs, `val_accuracy`, `grad_norm`, `lr`. */
export async function trainRewardModel(
  { config, base, source, pad, heldOut, reference, adapter }: RewardInputs,
  given: Partial<RewardSettings> = {},
  context: StageContext<RewardModel> = {},
): Promise<{ readonly model: RewardModel; readonly metrics: Readonly<Record<string, number>> }> {
  const settings = { ...rewardDefaults, ...given };
  const { steps, time, seed } = settings;
  const { microBatches, ...others } = settings;
  if (heldOut.length === 0) throw invalidInput('reward model: there are no held-out answers to measure it on');
  assertDivides('reward', settings, 'groups', 'microBatches');
  assertFits('reward', settings, config);
  const identity = { ...others, config };
  const initial = withScalarHead(base, config, Random.seeded(seed).fork('head'));
  const plan = trainingPlan(initial, config, adapter && withHead(adapter, initial));
  const optimizer = adapter
    ? adapterOptimizer(settings)
    : decoderOptimizer({
        ...settings,
        config,
        head: { kind: 'scores', count: 1 },
        // What words mean is known by now; one figure an answer says little about it.
        embeddingRateFactor: 0.1,
      });
  const schedule = warmupDecay({ steps, warmup: Math.min(settings.warmupSteps, steps), shape: 'linear' });

  const saved = context.checkpoint?.load(identity);
  const training = new TrainStep<ModelWeights, AnswerBatch, ModelWeights>(
    (saved?.trees['parameters'] as ModelWeights | undefined) ?? plan.parameters,
    (parameters, batch, frozen) => {
      const { weights } = plan.read(parameters, frozen, batch[dropoutKey]);
      const scores = scoresAt(weights, config, batch, batch.ends);
      const { loss, accuracy, margin } = pairLoss(scores, batch.better, batch.worse, batch.weights);
      return { loss, metrics: { accuracy, margin } };
    },
    { name: 'reward model', optimizer, frozen: plan.frozen, ...computingOf(context) },
    resumedFrom(saved),
  );
  const scorer = new ScalarScorer(initial, config, { device: context.device ?? 'cpu' });
  const whole = async (): Promise<ModelWeights> =>
    plan.merged((await training.onHost()).parameters, { kind: 'scores', count: 1 });

  try {
    const metrics = await runLoop(
      {
        stage: 'reward',
        steps,
        saved,
        step: async (n) => {
          const learningRate = settings.learningRate * schedule(n);
          const groups = source.groups(n, settings.groups);
          const parts = answerParts(groups, microBatches, { time, pad }).map((part, i) => ({
            ...part,
            ...plan.randomness(seed, n * microBatches + i),
          }));
          const {
            loss,
            gradientNorm,
            metrics: own,
          } = await training.run(microBatches === 1 ? parts[0]! : parts, learningRate);
          return { loss, ...own, grad_norm: gradientNorm, lr: learningRate };
        },
        weights: async () => ({ weights: await whole(), bias: 0 }),
        state: () => stepState(training, identity),
        evaluate: async () => ({
          val_accuracy: await pairAccuracy(scorer, await whole(), heldOut, { time, pad }),
        }),
        evaluateEvery: settings.validateEvery,
      },
      context,
    );
    const sequences = reference ?? heldOut.flat().map(({ ids }) => ids);
    const model = await normalise(scorer, await whole(), sequences, { time, pad });
    await context.publish?.(model, { step: steps, finished: true, metrics });
    return { model, metrics };
  } finally {
    await training.dispose();
    await scorer.dispose();
  }
}

/** Share of held-out pairs that the model orders as people did; every prompt counts the same. */
export async function pairAccuracy(
  scorer: ScalarScorer,
  weights: ModelWeights,
  groups: readonly AnswerGroup[],
  options: RowOptions,
): Promise<number> {
  const scores = await scoreSequences(
    scorer,
    weights,
    groups.flat().map(({ ids }) => ids),
    options,
  );
  let first = 0;
  let total = 0;
  for (const group of groups) {
    const own = scores.slice(first, (first += group.length));
    const pairs = orderedPairs(group);
    total += pairs.filter(([better, worse]) => own[better]! > own[worse]!).length / pairs.length;
  }
  return total / groups.length;
}

/** Scales the head so that the scores of `sequences` have deviation 1; the bias makes their mean 0. */
async function normalise(
  scorer: ScalarScorer,
  weights: ModelWeights,
  sequences: readonly (readonly number[])[],
  options: RowOptions,
): Promise<RewardModel> {
  const scores = await scoreSequences(scorer, weights, sequences, options);
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length) || 1;
  const { weight } = weights['score'] as { readonly weight: FloatArray };
  const scaled = floats(
    weight.shape,
    weight.data.map((value) => value / deviation),
  );
  return { weights: { ...weights, score: { weight: scaled } }, bias: mean / deviation };
}
