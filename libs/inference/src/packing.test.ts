import { describe, expect, it } from 'vitest';
import { packSequences, RowFiller } from './packing.ts';

describe('packing', () => {
  it('puts sequences into rows with positions and segments of their own, and says where', () => {
    const { packed, places } = packSequences([[1, 2], [3, 4, 5, 6], [7]], { time: 4, pad: 9 });
    // The longest is placed first, a row of its own; the others share the next.
    expect(packed.ids).toEqual({ dtype: 'int32', shape: [2, 4], data: Int32Array.of(3, 4, 5, 6, 1, 2, 7, 9) });
    expect(Array.from(packed.positions.data)).toEqual([0, 1, 2, 3, 0, 1, 0, 0]);
    expect(Array.from(packed.segments.data)).toEqual([1, 1, 1, 1, 1, 1, 2, 0]);
    expect(places).toEqual([
      { start: 4, length: 2 },
      { start: 0, length: 4 },
      { start: 6, length: 1 },
    ]);
  });

  it('loses and overlaps nothing', () => {
    const sequences = Array.from({ length: 57 }, (_, i) =>
      Array.from({ length: 1 + ((i * 13) % 30) }, (_, j) => i * 100 + j),
    );
    const { packed, places } = packSequences(sequences, { time: 32, pad: -1, rowMultiple: 4 });
    const ids = Array.from(packed.ids.data);
    sequences.forEach((sequence, i) => {
      const { start, length } = places[i]!;
      expect(ids.slice(start, start + length)).toEqual(sequence);
      expect(Math.floor(start / 32)).toBe(Math.floor((start + length - 1) / 32));
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

it('fills rows in the order of the calls and tells the room that is left', () => {
  const filler = new RowFiller(2, 5, 0);
  expect(filler.place(1, [4, 5])).toEqual({ start: 5, length: 2 });
  expect(filler.place(1, [6])).toEqual({ start: 7, length: 1 });
  expect([filler.room(0), filler.room(1)]).toEqual([5, 2]);
  expect(Array.from(filler.finish().segments.data)).toEqual([0, 0, 0, 0, 0, 1, 1, 2, 0, 0]);
});
