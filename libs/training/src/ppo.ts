/**
 * Stage 4, reinforcement learning: model D is B improved by PPO (Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al.
 * 2022) against the reward model C. Each iteration samples answers, scores them, and makes a few clipped updates of policy
 * and value network.
 *
 * The choices where sources differ: the score is added at the last real token; a missing end token subtracts a penalty;
 * values and log-probabilities are those before each token; log-probabilities are always at the sampling temperature;
 * sampling is from the whole distribution; the "old" log-probabilities are those of the rollout, which the training
 * graph reproduces to rounding (logged as `rollout/logprob_diff`); advantages are whitened over the iteration with the
 * unbiased variance; the loss is the mean over response tokens. Several answers are sampled to each prompt, and from the
 * score of each the mean of the others is subtracted (Kool et al. 2019; Ahmadian et al. 2024): how hard a prompt is,
 * which is most of the scores' variance, need not be learned by the value network, and the prompt is read once for all
 * of them. Policy and value network are separate, the second begins as a copy of C, and each has its own optimizer
 * (AdamW with epsilon 1e-5: larger updates of rarely moved weights made small policies drift).
 */
import { invalidInput, Random, throwIfCancelled } from '@crucible/foundation';
import {
  blockHeight,
  GenerationEngine,
  LogProbabilityScorer,
  packSequences,
  ScalarScorer,
  throughputBatch,
} from '@crucible/inference';
import type { DecoderConfig, ModelWeights } from '@crucible/nn';
import { createOptimizer, type OptimizerState, warmupDecay } from '@crucible/optim';
import { mul, type NdArray, sum, tokenLogProbability } from '@crucible/tensor';
import { assertDivides } from './assert-divides.ts';
import {
  centre,
  estimateAdvantages,
  type Experience,
  KlController,
  sequenceKl,
  tokenRewards,
  whiten,
} from './advantages.ts';
import {
  type ExperienceBatch,
  experienceBatch,
  experienceParts,
  type Learned,
  responsePlaces,
} from './batches/experience-batch.ts';
import { policyLoss, predictionsAt, scoresAt, valueLoss } from './losses.ts';
import { computingOf, runLoop, type StageContext } from './stage.ts';
import type { SavedStage } from './stage-checkpoint.ts';
import { type LossFunction, type Resumed, TrainStep } from './train-step.ts';

export interface PpoSettings {
  readonly seed: number;
  readonly iterations: number;
  /** Answers sampled in an iteration. */
  readonly samples: number;
  /** Of these, to each prompt; 1: the value network is the only baseline. */
  readonly answersPerPrompt: number;
  /** Longest answer, in tokens. */
  readonly maxTokens: number;
  /** Length of packed rows; prompt and answer must fit. */
  readonly time: number;
  readonly temperature: number;
  /** Times that each iteration's answers are learned from. */
  readonly epochs: number;
  /** Updates an epoch. */
  readonly minibatches: number;
  readonly policyLearningRate: number;
  readonly valueLearningRate: number;
  /** First iterations in which only the value network learns. */
  readonly valueOnlyIterations: number;
  readonly clip: number;
  readonly valueClip: number;
  readonly gamma: number;
  readonly lambda: number;
  /** β, the weight of the KL divergence from B in the reward. */
  readonly klCoefficient: number;
  /** Sequence KL in nats that β adapts to; null keeps β. */
  readonly klTarget: number | null;
  /** Subtracted from the score of an answer that did not end by itself. */
  readonly missingEosPenalty: number;
  readonly clipNorm: number;
  readonly evaluateEvery: number;
}

export const ppoDefaults: PpoSettings = {
  seed: 1,
  iterations: 32,
  samples: 160,
  answersPerPrompt: 4,
  maxTokens: 64,
  time: 256,
  temperature: 1,
  epochs: 2,
  minibatches: 2,
  policyLearningRate: 4e-4,
  valueLearningRate: 1e-3,
  valueOnlyIterations: 2,
  clip: 0.2,
  valueClip: 0.2,
  gamma: 1,
  lambda: 0.95,
  klCoefficient: 0.1,
  klTarget: null,
  missingEosPenalty: 1,
  clipNorm: 1,
  evaluateEvery: 8,
};

/** A finished sample, as a reward function sees it. */
export interface Sample {
  readonly prompt: readonly number[];
  readonly response: readonly number[];
  /** Whether the answer ended by itself. */
  readonly finished: boolean;
}

/** Scores samples: a reward model, a verifier, a person. */
export type RewardFunction = (samples: readonly Sample[]) => Promise<readonly number[]>;

/** Prompts of an iteration, of at most `longest` tokens each; the same whenever they are asked for. */
export type PromptSource = (iteration: number, count: number, longest: number) => readonly (readonly number[])[];

export interface PpoInputs {
  readonly config: DecoderConfig;
  /** Model B: where the policy begins, and the reference that it is held near. */
  readonly reference: ModelWeights;
  /** Where the value network begins: model C. */
  readonly value: ModelWeights;
  readonly reward: RewardFunction;
  readonly prompts: PromptSource;
  /** The token that ends an answer. */
  readonly eos: number;
  readonly pad: number;
  /** Held-out figures of the policy as it is, by name. */
  readonly evaluate?: (weights: ModelWeights) => Promise<Readonly<Record<string, number>>>;
}

/** Metrics carry TRL's names: `objective/*`, `policy/*`, `loss/*`, `val/*`, `lr`, `episode`; times in seconds: `time/*`. */
export async function ppo(
  inputs: PpoInputs,
  given: Partial<PpoSettings> = {},
  context: StageContext<ModelWeights> = {},
): Promise<{ readonly weights: ModelWeights; readonly metrics: Readonly<Record<string, number>> }> {
  const settings = { ...ppoDefaults, ...given };
  assertDivides('ppo', settings, 'samples', 'minibatches');
  assertDivides('ppo', settings, 'samples', 'answersPerPrompt');
  if (roomForPrompt(inputs.config, settings) < 1) {
    throw invalidInput(
      `ppo: answers of ${settings.maxTokens} tokens leave no room for a prompt in rows of ${settings.time} and a context of ${inputs.config.maxPositions}`,
      { at: 'maxTokens' },
    );
  }
  const run = new PpoRun(inputs, settings, context);
  try {
    const metrics = await runLoop(
      {
        stage: 'ppo',
        steps: settings.iterations,
        saved: run.saved,
        step: (n) => run.iterate(n),
        weights: () => run.weights(),
        state: () => run.state(),
        ...(inputs.evaluate && {
          evaluate: async () => inputs.evaluate!(await run.weights()),
          evaluateEvery: settings.evaluateEvery,
        }),
      },
      context,
    );
    const weights = await run.weights();
    await context.publish?.(weights, { step: settings.iterations, finished: true, metrics });
    return { weights, metrics };
  } finally {
    await run.dispose();
  }
}

/** What an update of the policy minimises, and the figures that tell how far it moved. */
export function policyObjective(
  config: DecoderConfig,
  { temperature, clip }: Pick<PpoSettings, 'temperature' | 'clip'>,
): LossFunction<ModelWeights, ExperienceBatch> {
  return (parameters, batch) => {
    const { hidden, head } = predictionsAt(parameters, config, batch, batch.at);
    const logProbabilities = tokenLogProbability(mul(hidden, 1 / temperature), head, batch.targets);
    const old = {
      logProbabilities: batch.oldLogProbabilities,
      advantages: batch.advantages,
      weights: batch.weights,
    };
    const { loss, approxKl, clipFraction, ratio } = policyLoss(logProbabilities, old, clip);
    const entropy = mul(sum(mul(logProbabilities, old.weights)), -1);
    return { loss, metrics: { approxKl, clipFraction, ratio, entropy } };
  };
}

/** What an update of the value network minimises. */
export function valueObjective(
  config: DecoderConfig,
  { valueClip }: Pick<PpoSettings, 'valueClip'>,
): LossFunction<ModelWeights, ExperienceBatch> {
  return (parameters, batch) => {
    const old = { values: batch.oldValues, returns: batch.returns, weights: batch.weights };
    const { loss, clipFraction } = valueLoss(scoresAt(parameters, config, batch, batch.at), old, valueClip);
    return { loss, metrics: { clipFraction } };
  };
}

class PpoRun {
  readonly policy: TrainStep<ModelWeights, ExperienceBatch>;
  readonly #value: TrainStep<ModelWeights, ExperienceBatch>;
  readonly #engine: GenerationEngine;
  readonly #logProbabilities: LogProbabilityScorer;
  readonly #scores: ScalarScorer;
  readonly #kl: KlController;
  readonly #inputs: PpoInputs;
  readonly #settings: PpoSettings;
  readonly #signal: AbortSignal | undefined;
  readonly #identity: Readonly<Record<string, unknown>>;
  /** What the run goes on from. */
  readonly saved: SavedStage | undefined;
  #iterations: number;

  constructor(inputs: PpoInputs, settings: PpoSettings, context: StageContext<ModelWeights>) {
    const { config, reference, value } = inputs;
    this.#inputs = inputs;
    this.#settings = settings;
    this.#signal = context.signal;
    this.#identity = { ...settings, config };
    const { device = 'cpu' } = context;
    this.#engine = new GenerationEngine({ maxBatch: throughputBatch, device });
    const saved = (this.saved = context.checkpoint?.load(this.#identity));
    this.#iterations = saved?.step ?? 0;
    this.#kl = new KlController(
      (saved?.record['klCoefficient'] as number | undefined) ?? settings.klCoefficient,
      settings.klTarget ?? undefined,
    );
    const optimizer = createOptimizer({ clipNorm: settings.clipNorm, adamW: { beta2: 0.95, epsilon: 1e-5 } });
    const resumed = (name: string): Resumed | undefined => {
      if (!saved) return undefined;
      const lossScale = saved.record[`${name}Scale`] as number | undefined;
      return {
        state: saved.trees[`${name}-optimizer`] as OptimizerState<NdArray>,
        steps: saved.record[`${name}Steps`] as number,
        ...(lossScale !== undefined && { lossScale }),
      };
    };
    this.policy = new TrainStep<ModelWeights, ExperienceBatch>(
      (saved?.trees['policy'] as ModelWeights | undefined) ?? reference,
      policyObjective(config, settings),
      { name: 'policy', optimizer, ...computingOf(context) },
      resumed('policy'),
    );
    this.#value = new TrainStep<ModelWeights, ExperienceBatch>(
      (saved?.trees['value'] as ModelWeights | undefined) ?? value,
      valueObjective(config, settings),
      { name: 'value network', optimizer, ...computingOf(context) },
      resumed('value'),
    );
    this.#logProbabilities = new LogProbabilityScorer(reference, config, { device });
    this.#scores = new ScalarScorer(value, config, { device });
  }

  async iterate(n: number): Promise<Readonly<Record<string, number>>> {
    const start = performance.now();
    const samples = await this.#rollOut(n);
    throwIfCancelled(this.#signal, 'ppo');
    const rolledOut = performance.now();
    const experiences = await this.#score(samples);
    const { coefficient } = this.#kl;
    const centred = centre(
      experiences.map(({ score }) => score),
      this.#settings.answersPerPrompt,
    );
    const learned = experiences.map((experience, i): Learned => {
      const rewards = tokenRewards({ ...experience, score: centred[i]! }, coefficient);
      return { ...experience, ...estimateAdvantages(rewards, experience.values, this.#settings) };
    });
    whiten(learned.map(({ advantages }) => advantages));
    const scored = performance.now();
    const updates = await this.#update(n, learned);
    const kl = mean(experiences.map(sequenceKl));
    this.#kl.update(kl, experiences.length);
    this.#iterations = n + 1;
    const scores = mean(experiences.map(({ score }) => score));
    const nonScore = -coefficient * kl;
    return {
      'objective/kl': kl,
      'objective/entropy': mean(
        experiences.map(({ logProbabilities }) => -logProbabilities.reduce((a, b) => a + b, 0)),
      ),
      'objective/non_score_reward': nonScore,
      'objective/rlhf_reward': scores + nonScore,
      'objective/scores': scores,
      'objective/kl_coef': coefficient,
      ...updates,
      'val/num_eos_tokens': samples.filter(({ finished }) => finished).length / samples.length,
      'rollout/response_length': mean(samples.map(({ response }) => response.length)),
      episode: (n + 1) * this.#settings.samples,
      'time/rollout': (rolledOut - start) / 1000,
      'time/scoring': (scored - rolledOut) / 1000,
      'time/training': (performance.now() - scored) / 1000,
    };
  }

  async weights(): Promise<ModelWeights> {
    return (await this.policy.onHost()).parameters;
  }

  async state(): Promise<SavedStage> {
    const [policy, value] = [await this.policy.lent(), await this.#value.lent()];
    return {
      step: this.#iterations,
      record: {
        settings: this.#identity,
        klCoefficient: this.#kl.coefficient,
        policySteps: this.policy.steps,
        valueSteps: this.#value.steps,
        ...(policy.lossScale !== undefined && { policyScale: policy.lossScale, valueScale: value.lossScale }),
      },
      trees: {
        policy: policy.parameters,
        'policy-optimizer': policy.state,
        value: value.parameters,
        'value-optimizer': value.state,
      },
    };
  }

  async dispose(): Promise<void> {
    await this.policy.dispose();
    await this.#value.dispose();
    await this.#engine.dispose();
    await this.#logProbabilities.dispose();
    await this.#scores.dispose();
  }

  async #rollOut(n: number): Promise<(Sample & { readonly logProbabilities: Float32Array })[]> {
    const { config, prompts, eos } = this.#inputs;
    const { samples, answersPerPrompt, maxTokens, temperature, seed } = this.#settings;
    this.#engine.setModel({ weights: await this.weights(), config, version: n });
    const random = Random.seeded(seed).fork(`rollout ${n}`);
    const asked = prompts(n, samples / answersPerPrompt, roomForPrompt(config, this.#settings));
    const requests = Array.from({ length: samples }, (_, i) => ({
      prompt: asked[Math.floor(i / answersPerPrompt)]!,
      maxTokens,
      stopTokens: [eos],
      sampling: { temperature, seed: random.uint32() },
      ...(this.#signal && { signal: this.#signal }),
    }));
    const answers = await this.#engine.generateAll(requests);
    return answers.map(({ tokens, finish }, i) => ({
      prompt: requests[i]!.prompt,
      response: tokens.map(({ id }) => id),
      finished: finish === 'stop',
      logProbabilities: Float32Array.from(tokens, (token) => token.logProbability),
    }));
  }

  async #score(samples: readonly (Sample & { readonly logProbabilities: Float32Array })[]): Promise<Experience[]> {
    const { reference, reward, pad } = this.#inputs;
    const { time, temperature, missingEosPenalty } = this.#settings;
    const scores = await reward(samples);
    const sequences = samples.map(({ prompt, response }) => [...prompt, ...response]);
    const { packed, places } = packSequences(sequences, { time, pad, rowMultiple: blockHeight(time) });
    const at = samples.flatMap((sample, i) => responsePlaces(places[i]!, sample));
    const targets = samples.flatMap(({ response }) => response);
    const references = await this.#logProbabilities.score(reference, packed, at, targets, temperature);
    const values = await this.#scores.score((await this.#value.lent()).parameters, packed, at);
    let next = 0;
    return samples.map((sample, i) => {
      const [first, last] = [next, (next += sample.response.length)];
      return {
        ...sample,
        referenceLogProbabilities: references.slice(first, last),
        values: values.slice(first, last),
        score: scores[i]! - (sample.finished ? 0 : missingEosPenalty),
      };
    });
  }

  async #update(n: number, learned: readonly Learned[]): Promise<Record<string, number>> {
    const { pad } = this.#inputs;
    const { epochs, minibatches, samples, answersPerPrompt, time, iterations, valueOnlyIterations, seed } =
      this.#settings;
    const decay = warmupDecay({ steps: iterations, shape: 'linear' })(n);
    const random = Random.seeded(seed).fork(`minibatches ${n}`);
    const size = samples / minibatches;
    // The answers to a prompt stay together: they share its tokens.
    const byPrompt = Array.from({ length: samples / answersPerPrompt }, (_, i) =>
      learned.slice(i * answersPerPrompt, (i + 1) * answersPerPrompt),
    );
    const log = new Means();
    for (let epoch = 0; epoch < epochs; epoch++) {
      const shuffled = random.shuffled(byPrompt).flat();
      for (let i = 0; i < minibatches; i++) {
        throwIfCancelled(this.#signal, 'ppo');
        const minibatch = experienceBatch(shuffled.slice(i * size, (i + 1) * size), { time, pad });
        const parts = experienceParts(minibatch);
        const value = await this.#value.run(parts, this.#settings.valueLearningRate * decay);
        log.add({ 'loss/value_avg': value.loss, 'val/clipfrac_avg': value.metrics['clipFraction']! });
        if (n < valueOnlyIterations) continue;
        const policy = await this.policy.run(parts, this.#settings.policyLearningRate * decay);
        const { approxKl, clipFraction, ratio, entropy } = policy.metrics;
        log.add({
          'loss/policy_avg': policy.loss,
          'policy/approxkl_avg': approxKl!,
          'policy/clipfrac_avg': clipFraction!,
          'policy/entropy_avg': entropy!,
          'val/ratio': ratio!,
          'policy/grad_norm': policy.gradientNorm,
        });
        // Before the first update the ratio is 1 but for the difference between the two programs' arithmetic.
        if (epoch === 0 && i === 0) log.add({ 'rollout/logprob_diff': Math.sqrt(2 * Math.max(0, approxKl!)) });
      }
    }
    return { ...log.values, lr: this.#settings.policyLearningRate * decay };
  }
}

/** Tokens that a prompt may have, so that the longest answer fits after it. */
function roomForPrompt({ maxPositions }: DecoderConfig, { time, maxTokens }: PpoSettings): number {
  return Math.min(time, maxPositions) - maxTokens;
}

class Means {
  readonly #sums = new Map<string, { sum: number; count: number }>();

  add(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      const { sum, count } = this.#sums.get(name) ?? { sum: 0, count: 0 };
      this.#sums.set(name, { sum: sum + value, count: count + 1 });
    }
  }

  get values(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
