import { chiSquare, chiSquareLimit, referenceLogProbabilities } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { chooseToken, resolveSampling, topTokens, uniformAt } from './sampling.ts';

/** Probabilities 0.4, 0.3, 0.2, 0.1 for tokens 2, 0, 3, 1. */
const logits = Float32Array.from([0.3, 0.1, 0.4, 0.2], Math.log);

function choose(u: number, sampling: Parameters<typeof resolveSampling>[0]): number {
  return chooseToken(logits, resolveSampling(sampling), u).id;
}

describe('choosing a token', () => {
  it('inverts the cumulative distribution, in the order of ids', () => {
    expect([0, 0.29, 0.31, 0.39, 0.41, 0.79, 0.81, 0.999].map((u) => choose(u, {}))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it('takes the most probable token at temperature 0, the first of equals', () => {
    expect([0, 0.5, 0.99].map((u) => choose(u, { temperature: 0 }))).toEqual([2, 2, 2]);
    expect(chooseToken(Float32Array.of(1, 7, 7), resolveSampling({ temperature: 0 }), 0.9).id).toBe(1);
  });

  it('takes the most probable token at temperatures too small to divide by', () => {
    expect(resolveSampling({ temperature: 1e-40 }).temperature).toBe(0);
  });

  it('keeps the k most probable tokens with top-k, the most probable first', () => {
    // 0.4 and 0.3 of 0.7
    expect([0, 0.57, 0.58, 0.99].map((u) => choose(u, { topK: 2 }))).toEqual([2, 2, 0, 0]);
    expect(choose(0.999, { topK: 100 })).toBe(1);
  });

  it('keeps the smallest set that reaches p with top-p', () => {
    const reachable = (topP: number): number[] =>
      [...new Set(Array.from({ length: 1000 }, (_, i) => choose(i / 1000, { topP })))].sort();
    expect(reachable(0.01)).toEqual([2]);
    expect(reachable(0.39)).toEqual([2]);
    expect(reachable(0.41)).toEqual([0, 2]);
    expect(reachable(0.69)).toEqual([0, 2]);
    expect(reachable(0.71)).toEqual([0, 2, 3]);
    expect(reachable(0.999)).toEqual([0, 1, 2, 3]);
  });

  it('applies top-k and top-p both', () => {
    const reachable = (sampling: { topK: number; topP: number }): number =>
      new Set(Array.from({ length: 1000 }, (_, i) => choose(i / 1000, sampling))).size;
    expect(reachable({ topK: 3, topP: 0.5 })).toBe(2);
    expect(reachable({ topK: 1, topP: 0.9 })).toBe(1);
  });

  it('reports the log-probability at the temperature, before top-k and top-p', () => {
    const given = Float32Array.of(2, -1, 0.5);
    for (const temperature of [0.5, 1, 3]) {
      const expected = referenceLogProbabilities([2, -1, 0.5], temperature);
      for (const u of [0.1, 0.7, 0.99]) {
        const { id, logProbability } = chooseToken(given, resolveSampling({ temperature, topK: 2 }), u);
        expect(logProbability).toBeAllClose(expected[id]!);
      }
    }
    const greedy = chooseToken(given, resolveSampling({ temperature: 0 }), 0);
    expect(greedy.logProbability).toBeAllClose(referenceLogProbabilities([2, -1, 0.5])[0]!);
  });

  it('survives logits that would overflow', () => {
    const { id, logProbability } = chooseToken(Float32Array.of(1e4, -1e4, 9990), resolveSampling({}), 0.5);
    expect(id).toBe(0);
    expect(logProbability).toBeCloseTo(-Math.log1p(Math.exp(-10)), 9);
  });
});

describe('the random number of a token', () => {
  it('is uniform over the tokens of an answer and over seeds', () => {
    const counts = (numbers: readonly number[]): number[] => {
      const bins = new Array<number>(20).fill(0);
      for (const u of numbers) bins[Math.floor(u * 20)]!++;
      return bins;
    };
    const even = new Array<number>(20).fill(1 / 20);
    const overTokens = Array.from({ length: 10_000 }, (_, n) => uniformAt(42, n));
    const overSeeds = Array.from({ length: 10_000 }, (_, seed) => uniformAt(seed, 3));
    expect(chiSquare(counts(overTokens), even)).toBeLessThan(chiSquareLimit(19));
    expect(chiSquare(counts(overSeeds), even)).toBeLessThan(chiSquareLimit(19));
    expect([...overTokens, ...overSeeds].every((u) => u >= 0 && u < 1 && Math.fround(u) === u)).toBe(true);
  });

  it('depends on all bits of the seed', () => {
    const seeds = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
    expect(new Set(seeds.map((seed) => uniformAt(seed, 0))).size).toBe(seeds.length);
  });
});

it('lists the most probable tokens in order', () => {
  const top = topTokens(logits, 1, 3);
  expect(top.map(({ id }) => id)).toEqual([2, 0, 3]);
  expect(top.map(({ logProbability }) => logProbability)).toBeAllClose([0.4, 0.3, 0.2].map(Math.log));
});

describe('sampling options', () => {
  it('have defaults that sample from the whole distribution, with a random seed', () => {
    const { seed, ...rest } = resolveSampling();
    expect(rest).toEqual({ temperature: 1, topK: 0, topP: 1 });
    expect(Number.isSafeInteger(seed)).toBe(true);
    expect(resolveSampling().seed).not.toBe(seed);
  });

  it.each([
    [{ temperature: -1 }, 'temperature is -1; it must be from 0 to 100', 'temperature'],
    [{ temperature: NaN }, 'temperature is NaN; it must be from 0 to 100', 'temperature'],
    [{ topK: 1.5 }, 'top_k is 1.5; it must be a whole number from 0', 'top_k'],
    [{ topP: 0 }, 'top_p is 0; it must be above 0 and at most 1', 'top_p'],
    [{ topP: 1.01 }, 'top_p is 1.01; it must be above 0 and at most 1', 'top_p'],
    [{ seed: -1 }, 'seed is -1; it must be a whole number from 0 to 2^53 - 1', 'seed'],
    [{ seed: 2 ** 53 }, 'seed is 9007199254740992; it must be a whole number from 0 to 2^53 - 1', 'seed'],
  ])('%o is refused', (given, message, at) => {
    expect(() => resolveSampling(given)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message, at }) as Error,
    );
  });
});
