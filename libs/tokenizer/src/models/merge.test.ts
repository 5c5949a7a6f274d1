import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { maximumVocabSize, mergeLong, mergeShort, MergeTable, mergeTokens, pairKey } from './merge.ts';
import type { PieceTokens } from './model.ts';

const [a, b, c, ab, bc, abc, aa] = [0, 1, 2, 3, 4, 5, 6] as const;

/** Tokens of one character each. */
function tokens(ids: number[]): PieceTokens {
  return { ids: [...ids], starts: ids.map((_, i) => i), ends: ids.map((_, i) => i + 1) };
}

function merged(ids: number[], table: MergeTable, merge = mergeTokens): PieceTokens {
  const result = tokens(ids);
  merge(result, table);
  return result;
}

describe('merging', () => {
  const table = new MergeTable([
    { left: b, right: c, merged: bc },
    { left: a, right: b, merged: ab },
    { left: a, right: bc, merged: abc },
    { left: a, right: a, merged: aa },
  ]);

  it.each([
    ['nothing', [], []],
    ['the lowest rank first, not the leftmost', [a, b, c], [abc]],
    ['of equal ranks the leftmost first', [a, a, a], [aa, a]],
    ['again what a merge has made', [a, b, c, a, b, a, a, b, b, c], [abc, ab, a, ab, bc]],
    ['not what has no merge', [c, b, a], [c, b, a]],
  ])('takes %s', (_what, ids, wanted) => {
    expect(merged(ids, table, mergeShort).ids).toEqual(wanted);
    expect(merged(ids, table, mergeLong).ids).toEqual(wanted);
  });

  it.each([mergeShort, mergeLong])('keeps track of what tokens stand for (%#)', (merge) => {
    expect(merged([c, a, b, c, b, a], table, merge)).toEqual({
      ids: [c, abc, b, a],
      starts: [0, 1, 4, 5],
      ends: [1, 4, 5, 6],
    });
    // Bytes of a character stand for all of it.
    const bytes = { ids: [a, b, c], starts: [0, 1, 1], ends: [1, 2, 2] };
    merge(bytes, table);
    expect(bytes).toEqual({ ids: [abc], starts: [0], ends: [2] });
  });

  it('gives the same for short and long words', () => {
    const random = Random.seeded(3);
    for (let round = 0; round < 300; round++) {
      const merges = Array.from({ length: 60 }, (_, i) => ({
        left: random.integer(0, 7 + i),
        right: random.integer(0, 7 + i),
        merged: random.integer(4, 8 + i),
      }));
      const random60 = new MergeTable(merges);
      const ids = Array.from({ length: random.integer(0, 120) }, () => random.integer(0, 7));
      expect(merged(ids, random60, mergeLong)).toEqual(merged(ids, random60, mergeShort));
    }
  });

  it('does not take quadratic time for a word of a million symbols', () => {
    const ids = Array.from({ length: 1_000_000 }, (_, i) => i % 3);
    expect(merged(ids, table).ids).toEqual([...Array<number>(333_333).fill(abc), a]);
  });

  it('takes the later of two merges of the same pair', () => {
    const twice = new MergeTable([
      { left: a, right: b, merged: ab },
      { left: b, right: c, merged: bc },
      { left: a, right: b, merged: aa },
    ]);
    expect(twice.rank(a, b)).toBe(2);
    expect(merged([a, b, c], twice).ids).toEqual([a, bc]);
    expect(twice.rank(c, a)).toBe(-1);
  });

  it('finds each of many pairs', () => {
    const merges = Array.from({ length: 5000 }, (_, i) => ({ left: i % 71, right: i * 7, merged: i }));
    const many = new MergeTable(merges);
    expect(merges.every(({ left, right }, rank) => many.rank(left, right) === rank)).toBe(true);
    expect(many.rank(71, 0)).toBe(-1);
  });

  it('knows pairs of the largest ids apart, in the order of their ids', () => {
    const most = maximumVocabSize - 1;
    const keys = [pairKey(0, 0), pairKey(0, most), pairKey(1, 0), pairKey(most, most - 1), pairKey(most, most)];
    expect(keys).toEqual([...keys].sort((x, y) => x - y));
    expect(new Set(keys).size).toBe(5);
    expect(keys.every(Number.isSafeInteger)).toBe(true);
  });
});
