import { expect, test } from 'vitest';
import { Random } from '@crucible/foundation';
import { DenseIndex, unit } from './dense-index.ts';

const random = Random.seeded(5);
const vector = (n: number): Float32Array => unit(Float32Array.from({ length: n }, () => random.normal()));

function exact(vectors: readonly Float32Array[], query: Float32Array): number[] {
  const similarity = (v: Float32Array): number => v.reduce((sum, value, i) => sum + value * query[i]!, 0);
  return vectors
    .map((v, slot) => ({ slot, score: similarity(v) }))
    .sort((a, b) => b.score - a.score)
    .map(({ slot }) => slot);
}

test('the search finds the very best, of random vectors too', () => {
  const index = new DenseIndex({ dimensions: 30, coarse: 30 });
  const vectors = Array.from({ length: 3000 }, () => vector(30));
  vectors.forEach((each, slot) => index.add(slot, each));
  for (let n = 0; n < 20; n++) {
    const query = vector(30);
    expect(index.search(query, 10).map(({ slot }) => slot)).toEqual(exact(vectors, query).slice(0, 10));
  }
});

test('candidates by the first dimensions lose next to nothing where those say most', () => {
  const index = new DenseIndex({ dimensions: 64, coarse: 16 });
  const falling = (): Float32Array => unit(Float32Array.from({ length: 64 }, (_, i) => random.normal() * 0.9 ** i));
  const vectors = Array.from({ length: 3000 }, falling);
  vectors.forEach((each, slot) => index.add(slot, each));
  let right = 0;
  for (let n = 0; n < 50; n++) {
    const query = falling();
    const best = new Set(exact(vectors, query).slice(0, 10));
    right += index
      .search(query, 100)
      .slice(0, 10)
      .filter(({ slot }) => best.has(slot)).length;
  }
  expect(right / 500).toBeGreaterThan(0.98);
});

test('what is removed or not allowed is not found', () => {
  const index = new DenseIndex({ dimensions: 2, coarse: 2 });
  index.add(0, Float32Array.of(1, 0));
  index.add(1, Float32Array.of(0.8, 0.6));
  index.add(2, Float32Array.of(0, 1));
  index.remove(0);
  const query = Float32Array.of(1, 0);
  expect(index.search(query, 5).map(({ slot }) => slot)).toEqual([1, 2]);
  expect(index.search(query, 5, Uint8Array.of(1, 0, 1)).map(({ slot }) => slot)).toEqual([2]);
  expect(index.similarity(0, query)).toBe(0);
});
