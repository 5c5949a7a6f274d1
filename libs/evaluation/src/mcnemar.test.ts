import { describe, expect, it } from 'vitest';
import { holm, mcnemar } from './mcnemar.ts';

describe('mcnemar', () => {
  it.each([
    // scipy 1.17.1, binomtest(min(b, c), b + c).pvalue
    [0, 0, 1],
    [5, 0, 0.0625],
    [6, 0, 0.03125],
    [9, 2, 0.0654296875],
    [20, 5, 0.004077315330505371],
    [7, 7, 1],
    [66, 0, 2 ** -65],
  ])('%i against %i', (b, c, p) => {
    expect(mcnemar(b, c) / p).toBeCloseTo(1, 9);
    expect(mcnemar(c, b)).toBe(mcnemar(b, c));
  });

  it('has no trouble with many questions', () => {
    expect(mcnemar(2000, 3000)).toBeGreaterThan(0);
    expect(mcnemar(2000, 3000)).toBeLessThan(1e-40);
    expect(mcnemar(2500, 2500)).toBe(1);
    expect(mcnemar(2450, 2550)).toBeCloseTo(0.16148522239737798, 9);
  });
});

describe('holm', () => {
  it('asks more of the first than of the last, and stops at the first that fails', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([true, false, false, true]);
    expect(holm([0.04])).toEqual([true]);
    expect(holm([0.026, 0.026])).toEqual([false, false]);
    expect(holm([0.02, 0.05])).toEqual([true, true]);
    expect(holm([])).toEqual([]);
  });
});
