import { expect, it } from 'vitest';
import { chiSquare, chiSquareLimit } from './chi-square.ts';

it('sums the squared distances from the expected counts, over these', () => {
  expect(chiSquare([8, 12, 20], [0.25, 0.25, 0.5])).toBeCloseTo(4 / 10 + 4 / 10 + 0, 12);
});

it('is without bound where something impossible has happened', () => {
  expect(chiSquare([1, 9], [0, 1])).toBe(Infinity);
  expect(chiSquare([0, 9], [0, 1])).toBe(0);
});

it('gives the quantiles of the tables, or a little more', () => {
  // R: qchisq(0.9999, c(3, 10, 23))
  for (const [degrees, quantile] of [
    [3, 21.1075],
    [10, 35.564],
    [23, 57.0746],
  ] as const) {
    expect(chiSquareLimit(degrees)).toBeGreaterThan(quantile);
    expect(chiSquareLimit(degrees)).toBeLessThan(1.04 * quantile);
  }
});
