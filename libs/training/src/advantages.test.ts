import { Random } from '@crucible/foundation';
import '@crucible/testing';
import { describe, expect, it } from 'vitest';
import {
  centre,
  estimateAdvantages,
  type Experience,
  KlController,
  sequenceKl,
  tokenRewards,
  whiten,
} from './advantages.ts';

const experience: Experience = {
  prompt: [3],
  response: [4, 5, 1],
  logProbabilities: Float32Array.of(-1, -2, -0.5),
  referenceLogProbabilities: Float32Array.of(-1.5, -1.75, -0.5),
  values: Float32Array.of(0, 0, 0),
  score: 2,
};

it('estimates the KL divergence of a sequence by the sum of the log-ratios', () => {
  expect(sequenceKl(experience)).toBe(0.5 - 0.25 + 0);
});

it('adds the score at the last real token, and the KL penalty everywhere', () => {
  expect(tokenRewards(experience, 0.1)).toBeAllClose([-0.05, 0.025, 2]);
  expect(tokenRewards({ ...experience, score: -1 }, 0)).toBeAllClose([0, 0, -1]);
});

it('takes from each score the mean of the others to the same prompt', () => {
  expect(centre([1, 2, 6, 5, 5, 5], 3)).toEqual([1 - 4, 2 - 3.5, 6 - 1.5, 0, 0, 0]);
  expect(centre([1, 2], 1)).toEqual([1, 2]);
});

describe('generalised advantage estimation', () => {
  const random = Random.seeded(1);
  const rewards = Float32Array.from({ length: 9 }, () => random.normal());
  const values = Float32Array.from({ length: 9 }, () => random.normal());

  /** Equation 16 of Schulman et al. 2016, as it stands: a discounted sum of the errors of all later values. */
  function byDefinition(gamma: number, lambda: number): number[] {
    const error = (t: number): number => rewards[t]! + gamma * (t + 1 < 9 ? values[t + 1]! : 0) - values[t]!;
    return Array.from({ length: 9 }, (_, t) =>
      Array.from({ length: 9 - t }, (_unused, l) => (gamma * lambda) ** l * error(t + l)).reduce((a, b) => a + b),
    );
  }

  it.each([
    [1, 0.95],
    [0.9, 0.5],
    [1, 1],
    [0.99, 0],
  ])('follows its definition with γ %d and λ %d', (gamma, lambda) => {
    const { advantages, returns } = estimateAdvantages(rewards, values, { gamma, lambda });
    const expected = byDefinition(gamma, lambda);
    expect(advantages).toBeAllClose(expected);
    expect(returns).toBeAllClose(expected.map((advantage, t) => advantage + values[t]!));
  });

  it('has the sum of the rewards to come as returns with γ and λ 1, whatever the values', () => {
    const { returns } = estimateAdvantages(rewards, values, { gamma: 1, lambda: 1 });
    expect(returns).toBeAllClose(Array.from(rewards, (_, t) => rewards.slice(t).reduce((a, b) => a + b)));
  });

  it('has advantages equal to the returns where the values are zero', () => {
    const { advantages, returns } = estimateAdvantages(rewards, new Float32Array(9), { gamma: 1, lambda: 0.95 });
    expect(advantages).toEqual(returns);
  });

  it('gives one token its reward less its value', () => {
    const { advantages, returns } = estimateAdvantages(Float32Array.of(3), Float32Array.of(1), {
      gamma: 0.5,
      lambda: 0.5,
    });
    expect([...advantages, ...returns]).toEqual([2, 3]);
  });
});

describe('whitening', () => {
  it('gives all tokens together mean 0 and unbiased variance 1', () => {
    const arrays = [Float32Array.of(1, 2), Float32Array.of(3), Float32Array.of(4, 5)];
    whiten(arrays);
    // 1 … 5 have mean 3 and the unbiased variance 10 / 4.
    const unit = 1 / Math.sqrt(2.5);
    expect(arrays.map((array) => Array.from(array))).toBeAllClose([[-2 * unit, -unit], [0], [unit, 2 * unit]]);
  });

  it('makes equal advantages 0 rather than infinite', () => {
    const arrays = [Float32Array.of(7, 7, 7)];
    whiten(arrays);
    expect(Array.from(arrays[0]!)).toEqual([0, 0, 0]);
  });

  it('leaves a single token as it is', () => {
    const arrays = [Float32Array.of(7)];
    whiten(arrays);
    expect(Array.from(arrays[0]!)).toEqual([7]);
  });
});

describe('the KL coefficient', () => {
  it('stays where no target is set', () => {
    const controller = new KlController(0.05);
    controller.update(100, 1000);
    expect(controller.coefficient).toBe(0.05);
  });

  it('moves in proportion to the error, at most a fifth, and to the samples', () => {
    const after = (kl: number, samples: number): number => {
      const controller = new KlController(0.1, 6, 1000);
      controller.update(kl, samples);
      return controller.coefficient;
    };
    // err = clip(kl / target - 1, ±0.2); β ← β (1 + err · samples / horizon)
    expect(after(6.6, 100)).toBeCloseTo(0.1 * (1 + 0.1 * 0.1), 12);
    expect(after(60, 100)).toBeCloseTo(0.1 * (1 + 0.2 * 0.1), 12);
    expect(after(0, 500)).toBeCloseTo(0.1 * (1 - 0.2 * 0.5), 12);
    expect(after(6, 100)).toBe(0.1);
  });

  it('settles where the KL divergence meets the target', () => {
    const controller = new KlController(0.01, 2, 1000);
    // A policy that drifts the less, the more it costs.
    const klAt = (coefficient: number): number => 0.2 / coefficient;
    for (let i = 0; i < 500; i++) controller.update(klAt(controller.coefficient), 100);
    expect(controller.coefficient).toBeCloseTo(0.1, 3);
  });
});
