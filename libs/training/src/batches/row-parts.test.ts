import { packSequences } from '@crucible/inference';
import { floats, ints } from '@crucible/tensor';
import { expect, it } from 'vitest';
import { type ColumnBatch, rowParts } from './row-parts.ts';

/** Four rows of a sequence of two tokens each. */
const { packed } = packSequences(
  [
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ],
  { time: 2, pad: 0 },
);

function batchOf(at: readonly number[], weights: readonly number[], ids: readonly number[]): ColumnBatch {
  const size = [at.length];
  return {
    ...packed,
    at: ints(size, Int32Array.from(at)),
    weights: floats(size, Float32Array.from(weights)),
    targets: ints(size, Int32Array.from(ids)),
  };
}

const shown = (part: ColumnBatch) =>
  Object.fromEntries(['ids', 'at', 'weights', 'targets'].map((name) => [name, Array.from(part[name]!.data)]));

it('gives each part its rows, places counted in them, and its columns, padded with nothing', () => {
  const batch = batchOf([6, 0, 2, 0], [0.5, 0.25, 0.25, 0], [8, 2, 4, 9]);
  expect(rowParts(batch, 2, (learned) => learned + 1).map(shown)).toEqual([
    { ids: [1, 2, 3, 4], at: [0, 2, 0], weights: [0.25, 0.25, 0], targets: [2, 4, 0] },
    { ids: [5, 6, 7, 8], at: [2, 0], weights: [0.5, 0], targets: [8, 0] },
  ]);
});

it('leaves out the rows in which nothing is learned, but for one part where that is all of them', () => {
  const lengths: number[][] = [];
  const length = (learned: number, tokens: number): number => {
    lengths.push([learned, tokens]);
    return 2;
  };
  const some = rowParts(batchOf([4], [1], [6]), 1, length);
  expect(some.map(shown)).toEqual([{ ids: [5, 6], at: [0, 0], weights: [1, 0], targets: [6, 0] }]);
  const none = rowParts(batchOf([0], [0], [0]), 1, length);
  expect(none.map(shown)).toEqual([{ ids: [1, 2], at: [0, 0], weights: [0, 0], targets: [0, 0] }]);
  expect(lengths).toEqual([
    [1, 2],
    [0, 2],
  ]);
});
