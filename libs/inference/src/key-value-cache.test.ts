import { floats, type NdArray } from '@crucible/tensor';
import { tinyLlamaConfig } from '@crucible/testing';
import { expect, it } from 'vitest';
import { KeyValueCache } from './key-value-cache.ts';

const heads = 2;
const size = 8;
const { layers } = tinyLlamaConfig;

/** Different numbers for every layer, row, head, place and value. */
function entry(layer: number, row: number, head: number, place: number, i: number): number {
  return ((layer * 10 + row) * 10 + head) * 1000 + place * 10 + i;
}

function prompt(rows: number, time: number, offset: number): NdArray[] {
  return Array.from({ length: layers }, (_, layer) => {
    const data = Float32Array.from({ length: rows * heads * time * size }, (_, at) => {
      const i = at % size;
      const place = Math.floor(at / size) % time;
      const head = Math.floor(at / size / time) % heads;
      return offset + entry(layer, Math.floor(at / size / time / heads), head, place, i);
    });
    return floats([rows, heads, time, size], data);
  });
}

function read(arrays: readonly NdArray[], layer: number, row: number, head: number, place: number): number[] {
  const { shape, data } = arrays[layer]!;
  const start = ((row * heads + head) * shape[2]! + place) * size;
  return Array.from(data.slice(start, start + size));
}

it('keeps prompts and later tokens through growth and moves', async () => {
  const cache = new KeyValueCache(tinyLlamaConfig);
  cache.reserve(2, 5);
  const [keys, values] = [prompt(2, 16, 0), prompt(2, 16, 0.5)];
  const entries = [
    { row: 0, length: 5, from: 0 },
    { row: 1, length: 4, from: 1 },
  ];
  await cache.fill(entries, { keys, values });
  expect(cache.capacity).toBe(64);

  const token = Array.from({ length: layers }, (_, layer) =>
    floats(
      [2, heads * size],
      Float32Array.from({ length: 2 * heads * size }, (_, i) => -layer * 100 - (i % (heads * size))),
    ),
  );
  cache.append([5, 4], { keys: token, values: token });
  // More rows, more places; the context bounds the capacity.
  cache.reserve(4, 65);
  expect(cache.capacity).toBe(96);
  cache.move(1, 0);

  const view = await cache.view(2);
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      for (const row of [0, 1]) {
        for (let place = 0; place < 4; place++) {
          const expected = Array.from({ length: size }, (_, i) => entry(layer, 1, head, place, i));
          expect(read(view.keys, layer, row, head, place)).toEqual(expected);
          expect(read(view.values, layer, row, head, place)).toEqual(expected.map((value) => value + 0.5));
        }
        const appended = Array.from({ length: size }, (_, i) => -layer * 100 - head * size - i);
        expect(read(view.keys, layer, row, head, 4)).toEqual(appended);
      }
    }
  }
});

it('takes as much room as new rows need, once the old ones are forgotten', async () => {
  const cache = new KeyValueCache(tinyLlamaConfig);
  cache.reserve(8, 90);
  expect(cache.capacity).toBe(96);
  cache.clear();
  cache.reserve(1, 5);
  expect(cache.capacity).toBe(64);
  const [keys, values] = [prompt(1, 16, 0), prompt(1, 16, 0.5)];
  await cache.fill([{ row: 0, length: 5, from: 0 }], { keys, values });
  const view = await cache.view(1);
  expect(read(view.keys, 1, 0, 1, 4)).toEqual(Array.from({ length: size }, (_, i) => entry(1, 0, 1, 4, i)));
});
