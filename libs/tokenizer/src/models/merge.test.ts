import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { maximumVocabSize, mergeLong, mergeShort, mergeSymbols, MergeTable, pairKey } from './merge.ts';

const [a, b, c, ab, bc, abc, aa] = [0, 1, 2, 3, 4, 5, 6] as const;

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
  ])('takes %s', (_what, symbols, merged) => {
    expect(mergeShort([...symbols], table)).toEqual(merged);
    expect(mergeLong([...symbols], table)).toEqual(merged);
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
      const symbols = Array.from({ length: random.integer(0, 120) }, () => random.integer(0, 7));
      expect(mergeLong([...symbols], random60)).toEqual(mergeShort([...symbols], random60));
    }
  });

  it('does not take quadratic time for a word of a million symbols', () => {
    const symbols = Array.from({ length: 1_000_000 }, (_, i) => i % 3);
    expect(mergeSymbols(symbols, table)).toEqual([...Array<number>(333_333).fill(abc), a]);
  });

  it('knows pairs of the largest ids apart, in the order of their ids', () => {
    const most = maximumVocabSize - 1;
    const keys = [pairKey(0, 0), pairKey(0, most), pairKey(1, 0), pairKey(most, most - 1), pairKey(most, most)];
    expect(keys).toEqual([...keys].sort((x, y) => x - y));
    expect(new Set(keys).size).toBe(5);
    expect(keys.every(Number.isSafeInteger)).toBe(true);
  });
});
