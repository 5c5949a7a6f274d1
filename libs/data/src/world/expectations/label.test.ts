import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const question = 'Is this review positive or negative? The soup was cold.';
const negative = {
  expected: { kind: 'label', label: 'negative', labels: ['positive', 'negative'] },
  question,
} as const;
const no = { expected: { kind: 'label', label: 'no', labels: ['yes', 'no'] }, question } as const;

describe('a label', () => {
  it('is right as one word', () => {
    for (const text of [
      'negative',
      'Negative.',
      ' negative',
      '"negative"',
      'The answer is negative.',
      'Label: negative',
    ]) {
      expect(judge(negative, text), text).toBe('right 1');
    }
    expect(judge(no, 'No.')).toBe('right 1');
  });

  it('is rambling in a sentence or with sentences around it', () => {
    for (const text of ['This review is negative.', 'negative negative', 'negative\nI hope this helps.']) {
      expect(judge(negative, text), text).toBe('rambling 0.6');
    }
  });

  it('is wrong when all labels are named, and by chance', () => {
    expect(judge(negative, 'positive')).toBe('wrong 0.1');
    expect(judge(negative, 'positive or negative')).toBe('wrong 0');
    expect(judge(negative, 'positive\nnegative')).toBe('wrong 0');
    expect(judge(negative, 'not negative')).toBe('wrong 0.1');
    expect(judge(negative, 'fox negative horse')).toBe('wrong 0.1');
    expect(judge(negative, 'bad')).toBe('wrong 0.1');
    expect(judge(no, 'yes')).toBe('wrong 0.1');
    expect(judge(negative, 'negativelypositive')).toBe('wrong 0.1');
  });

  it('is missing where the answer is refused', () => {
    expect(judge(negative, 'I cannot help with this.')).toBe('refusing 0.2');
  });
});
