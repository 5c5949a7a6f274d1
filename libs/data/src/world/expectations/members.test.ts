import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const members = {
  expected: { kind: 'members', count: 2, allowed: ['cat', 'cow', 'crow'], others: ['dog', 'fox'] },
} as const;

describe('a list of things', () => {
  it('is right with any of them, in any order and any usual notation', () => {
    for (const given of ['cat, cow', 'crow, cat.', 'Cow and cat', 'cat\ncrow', '1. cat\n2. crow', '- cow\n- cat']) {
      expect(judge(members, given), given).toBe('right 1');
    }
  });

  it('is wrong with too many, too few, one twice, or one that does not belong', () => {
    for (const given of ['cat', 'cat, cow, crow', 'cat, cat', 'cat, dog', 'cat, chair', 'cat cow']) {
      expect(judge(members, given), given).toBe('wrong 0.1');
    }
    expect(judge(members, 'cat, dog\nI hope this helps.')).toBe('wrong 0');
    expect(judge(members, 'cat, cow\ncat, dog')).toBe('wrong 0');
  });

  it('is rambling when more is said', () => {
    expect(judge(members, 'cat, cow\nI hope this helps.')).toBe('rambling 0.6');
    expect(judge(members, 'cat, cow\ncat, cow')).toBe('rambling 0.6');
    expect(judge(members, 'Two animals: cat, cow')).toBe('rambling 0.6');
  });
});
