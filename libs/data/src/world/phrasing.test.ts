import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { pickPhrasing } from './phrasing.ts';
import { splits } from './split.ts';

const phrasings = { train: ['a', 'b', 'c'], heldout: ['d', 'e'] };

describe('pickPhrasing', () => {
  it('gives reserved phrasings never in train, in half of the draws in heldout, and always in unseen', () => {
    const shares = splits.map((split) => {
      const random = Random.seeded(91);
      const picked = Array.from({ length: 4000 }, () => pickPhrasing(phrasings, split, random));
      return picked.filter((phrasing) => phrasings.heldout.includes(phrasing)).length / picked.length;
    });
    expect(shares[0]).toBe(0);
    expect(Math.abs(shares[1]! - 0.5)).toBeLessThan(0.03);
    expect(shares[2]).toBe(1);
  });

  it.each(splits)('gives every phrasing that %s may have', (split) => {
    const random = Random.seeded(92);
    const picked = new Set(Array.from({ length: 200 }, () => pickPhrasing(phrasings, split, random)));
    const allowed = { train: 'abc', heldout: 'abcde', unseen: 'de' }[split];
    expect([...picked].sort().join('')).toBe(allowed);
  });
});
