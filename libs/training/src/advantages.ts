/** From rewards to advantages: what PPO works out on the host between rollouts and updates. */

/** One sampled answer with what the models say of each of its tokens; arrays are as long as `response`. */
export interface Experience {
  readonly prompt: readonly number[];
  /** The end token included, when it was reached. */
  readonly response: readonly number[];
  /** Log-probabilities of the response under the policy that sampled it, at the sampling temperature. */
  readonly logProbabilities: Float32Array;
  /** Under the reference model, at the same temperature. */
  readonly referenceLogProbabilities: Float32Array;
  /** The value network's estimate before each token. */
  readonly values: Float32Array;
  /** The reward model's score of the whole answer, any penalty included. */
  readonly score: number;
}

export interface Advantages {
  readonly advantages: Float32Array;
  /** What the values should have been: advantages (before whitening) plus values. */
  readonly returns: Float32Array;
}

/** Σ over the response of log π - log π_ref: an unbiased estimate of the sequence's KL divergence. */
export function sequenceKl({ logProbabilities, referenceLogProbabilities }: Experience): number {
  return logProbabilities.reduce((sum, value, t) => sum + value - referenceLogProbabilities[t]!, 0);
}

/**
 * Rewards of each token: -β (log π - log π_ref) everywhere, and the score at the last real token (Ziegler et al. 2019;
 * Stiennon et al. 2020).
 */
export function tokenRewards(experience: Experience, klCoefficient: number): Float32Array {
  const { logProbabilities, referenceLogProbabilities, score } = experience;
  const rewards = logProbabilities.map((value, t) => -klCoefficient * (value - referenceLogProbabilities[t]!));
  rewards[rewards.length - 1]! += score;
  return rewards;
}

/**
 * Scores less the mean of the others of their group, of `size` neighbours each (the leave-one-out baseline of Kool et al.
 * 2019): its expectation does not depend on the answer, so the policy gradient's does not change. A group of one keeps its
 * score.
 */
export function centre(scores: readonly number[], size: number): number[] {
  return scores.map((score, i) => {
    const first = i - (i % size);
    const others = scores.slice(first, first + size).reduce((a, b) => a + b, -score);
    return size === 1 ? score : score - others / (size - 1);
  });
}

/** Generalised advantage estimation (Schulman et al. 2016) backwards over the response; the value after its end is 0. */
export function estimateAdvantages(
  rewards: Float32Array,
  values: Float32Array,
  { gamma, lambda }: { readonly gamma: number; readonly lambda: number },
): Advantages {
  const advantages = new Float32Array(rewards.length);
  let next = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    const delta = rewards[t]! + gamma * (values[t + 1] ?? 0) - values[t]!;
    advantages[t] = next = delta + gamma * lambda * next;
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]!) };
}

/** Shifts and scales all advantages together to mean 0 and variance 1 (unbiased), in place. */
export function whiten(all: readonly Float32Array[]): void {
  const count = all.reduce((sum, { length }) => sum + length, 0);
  if (count < 2) return;
  const sumOf = (f: (value: number) => number): number =>
    all.reduce((sum, values) => sum + values.reduce((inner, value) => inner + f(value), 0), 0);
  const mean = sumOf((value) => value) / count;
  const deviation = Math.sqrt(sumOf((value) => (value - mean) ** 2) / (count - 1) + 1e-8);
  for (const values of all) values.forEach((value, t) => (values[t] = (value - mean) / deviation));
}

/** A KL coefficient that is fixed, or adapts so that the KL divergence meets a target (Ziegler et al. 2019, section 2.2). */
export class KlController {
  #coefficient: number;
  readonly #target: number | undefined;
  readonly #horizon: number;

  /** `target`: mean over samples of the sequence's KL, in nats; undefined keeps the coefficient. `horizon`: samples. */
  constructor(coefficient: number, target?: number, horizon = 10_000) {
    this.#coefficient = coefficient;
    this.#target = target;
    this.#horizon = horizon;
  }

  get coefficient(): number {
    return this.#coefficient;
  }

  update(kl: number, samples: number): void {
    if (this.#target === undefined) return;
    const error = Math.max(-0.2, Math.min(0.2, kl / this.#target - 1));
    this.#coefficient *= 1 + (error * samples) / this.#horizon;
  }
}
