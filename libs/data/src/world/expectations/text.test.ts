import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const text = {
  expected: { kind: 'text', answer: 'fig, pear, plum', others: ['plum, pear, fig'] },
  question: 'Sort these words: plum, fig, pear',
} as const;

describe('an exact text', () => {
  it('is right to the letter; white space, quotation marks and a full stop do not matter', () => {
    for (const given of ['fig, pear, plum', 'fig, pear, plum.', ' fig,  pear, plum\n', '"fig, pear, plum"']) {
      expect(judge(text, given), given).toBe('right 1');
    }
  });

  it('is rambling when more is said', () => {
    for (const given of [
      'Here they are: fig, pear, plum',
      'fig, pear, plum\nI hope this helps.',
      'fig, pear, plum\nfig, pear, plum',
    ]) {
      expect(judge(text, given), given).toBe('rambling 0.6');
    }
  });

  it('is wrong when anything differs, or when several answers are given', () => {
    for (const given of ['plum, pear, fig', 'fig pear plum', 'Fig, pear, plum', 'fig, pear', 'fig, pear, plum, plum']) {
      expect(judge(text, given), given).toBe('wrong 0.1');
    }
    expect(judge(text, 'plum, fig, pear\nfig, pear, plum')).toBe('wrong 0');
    expect(judge(text, 'I do not know.')).toBe('refusing 0.2');
  });
});
