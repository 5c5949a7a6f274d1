import { expect, it } from 'vitest';
import { wilson } from './wilson.ts';

it.each([
  // scipy 1.17.1, binomtest(k, n).proportion_ci(method='wilson')
  [0, 100, 0, 0.03699349820698568],
  [100, 100, 0.9630065017930144, 1],
  [66, 100, 0.5627772885472462, 0.7453847920265184],
  [1, 3, 0.061491944720396, 0.7923403991979523],
])('%i of %i', (right, count, low, high) => {
  const interval = wilson(right, count);
  expect(interval.low).toBeCloseTo(low, 6);
  expect(interval.high).toBeCloseTo(high, 6);
});
