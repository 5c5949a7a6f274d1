import { describe, expect, it } from 'vitest';
import { blockHeight, branchesOf, packSequences, rowBlocks, RowFiller } from './packing.ts';

describe('packing', () => {
  it('puts sequences into rows with positions and segments of their own, and says where', () => {
    const { packed, places } = packSequences([[1, 2], [3, 4, 5, 6], [7]], { time: 4, pad: 9 });
    // The longest is placed first, a row of its own; the others share the next.
    expect(packed.ids).toEqual({ dtype: 'int32', shape: [2, 4], data: Int32Array.of(3, 4, 5, 6, 1, 2, 7, 9) });
    expect(Array.from(packed.positions.data)).toEqual([0, 1, 2, 3, 0, 1, 0, 0]);
    expect(Array.from(packed.segments.data)).toEqual([1, 1, 1, 1, 1, 1, 2, 0]);
    expect(places).toEqual([[4, 5], [0, 1, 2, 3], [6]].map((place) => Int32Array.from(place)));
  });

  it('loses and overlaps nothing', () => {
    const sequences = Array.from({ length: 57 }, (_, i) =>
      Array.from({ length: 1 + ((i * 13) % 30) }, (_, j) => i * 100 + j),
    );
    const { packed, places } = packSequences(sequences, { time: 32, pad: -1, rowMultiple: 4 });
    const ids = Array.from(packed.ids.data);
    sequences.forEach((sequence, i) => {
      const place = places[i]!;
      expect(Array.from(place, (index) => ids[index])).toEqual(sequence);
      expect(new Set(place.map((index) => Math.floor(index / 32))).size).toBe(1);
    });
    expect(ids.filter((id) => id !== -1)).toHaveLength(sequences.flat().length);
    expect(packed.ids.shape[0]! % 4).toBe(0);
    // First-fit decreasing needs at most 11/9 of the best, which cannot be below the tokens' share.
    expect(packed.ids.shape[0]).toBeLessThanOrEqual(Math.ceil((11 / 9) * (sequences.flat().length / 32)) + 4);
  });

  it('refuses what fits no row', () => {
    expect(() => packSequences([[1, 2, 3]], { time: 2, pad: 0 })).toThrow(
      'a sequence of 3 tokens does not fit a row of 2',
    );
  });
});

describe('packing what begins alike', () => {
  const tokensAt = (ids: ArrayLike<number>, place: Int32Array): number[] => Array.from(place, (index) => ids[index]!);

  it('has the beginning once and the rests as branches, whose positions go on from it', () => {
    const { packed, places } = packSequences([[1, 2, 3], [1, 2, 4, 5], [6, 7], [6, 8], [9]], { time: 9, pad: 0 });
    expect(Array.from(packed.ids.data)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Array.from(packed.positions.data)).toEqual([0, 1, 2, 2, 3, 0, 1, 1, 0]);
    expect(Array.from(packed.segments.data)).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 3]);
    expect(Array.from(packed.branches.data)).toEqual([0, 0, 1, 2, 2, 0, 1, 2, 1]);
    expect(places).toEqual([[0, 1, 2], [0, 1, 3, 4], [5, 6], [5, 7], [8]].map((place) => Int32Array.from(place)));
  });

  it('leaves every sequence a token of its own', () => {
    const sequences = [[4], [4, 5], [4], [4, 5], [4, 5]];
    const { packed, places } = packSequences(sequences, { time: 6, pad: 0 });
    expect(places.map((place) => tokensAt(packed.ids.data, place))).toEqual(sequences);
    expect(new Set(places.map((place) => place.at(-1))).size).toBe(5);
  });

  it('shares nothing where little is alike', () => {
    const { packed } = packSequences(
      [
        [1, 2, 3],
        [1, 4, 5],
      ],
      { time: 6, pad: 0 },
    );
    expect(Array.from(packed.ids.data)).toEqual([1, 2, 3, 1, 4, 5]);
  });

  it('repeats the beginning where a row does not hold them all', () => {
    const sequences = [
      [1, 2, 3, 4],
      [1, 2, 5, 6],
      [1, 2, 7],
    ];
    const { packed, places } = packSequences(sequences, { time: 6, pad: 0, rowMultiple: 4 });
    expect(packed.ids.shape).toEqual([4, 6]);
    expect(Array.from(packed.ids.data.subarray(0, 12))).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 7, 0, 0, 0]);
    expect(places.map((place) => tokensAt(packed.ids.data, place))).toEqual(sequences);
  });
});

it('fills rows in the order of the calls and tells the room that is left', () => {
  const filler = new RowFiller(2, 5, 0);
  expect(filler.place(1, branchesOf([[4, 5]]))).toEqual([Int32Array.of(5, 6)]);
  expect(filler.place(1, branchesOf([[6]]))).toEqual([Int32Array.of(7)]);
  expect([filler.room(0), filler.room(1)]).toEqual([5, 2]);
  expect(Array.from(filler.finish().segments.data)).toEqual([0, 0, 0, 0, 0, 1, 1, 2, 0, 0]);
});

describe('rowBlocks', () => {
  it('gives every place asked for to the block that holds its row', () => {
    const sequences = Array.from({ length: 10 }, (_, n) => [n, n + 100, n + 200]);
    const { packed, places } = packSequences(sequences, { time: 3, pad: 0 });
    const asked = places.flatMap((place) => [place[2]!, place[1]!]);
    const blocks = rowBlocks(packed, asked);
    expect(blocks.map(({ rows }) => rows.ids.shape)).toEqual([
      [4, 3],
      [4, 3],
      [2, 3],
    ]);
    const found = new Array<number>(asked.length);
    for (const { rows, asked: indices, at } of blocks)
      indices.forEach((index, i) => (found[index] = rows.ids.data[at[i]!]!));
    expect(found).toEqual(sequences.flatMap((ids) => [ids[2], ids[1]]));
  });

  it('holds about a thousand tokens at a time, and at least a row', () => {
    expect([16, 256, 384, 512, 4096].map(blockHeight)).toEqual([4, 4, 2, 2, 1]);
  });
});
