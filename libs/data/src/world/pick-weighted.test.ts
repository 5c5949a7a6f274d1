import { Random } from '@crucible/foundation';
import { expect, it } from 'vitest';
import { pickWeighted } from './pick-weighted.ts';

it('draws keys in proportion to their weights', () => {
  const random = Random.seeded(1);
  const counts = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 4000; i++) counts[pickWeighted({ a: 3, b: 0, c: 1 }, random)]++;
  expect(counts.b).toBe(0);
  expect(counts.a / 4000).toBeCloseTo(0.75, 1);
});
