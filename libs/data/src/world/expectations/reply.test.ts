import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const reply = {
  expected: {
    kind: 'reply',
    accepted: ['Hello! How can I help you?', 'Hi! What can I do for you?'],
    others: ['Goodbye! Come back soon.'],
  },
} as const;

describe('a reply', () => {
  it('is right as any of those that are accepted', () => {
    expect(judge(reply, 'Hello! How can I help you?')).toBe('right 1');
    expect(judge(reply, 'hi, what can I do for you')).toBe('right 1');
  });

  it('is rambling with more, and wrong with less or with something else', () => {
    expect(judge(reply, 'Hello! How can I help you? I hope this helps.')).toBe('rambling 0.6');
    expect(judge(reply, 'Hello! How can I help you? Hi! What can I do for you?')).toBe('rambling 0.6');
    expect(judge(reply, 'Hello!')).toBe('wrong 0.1');
    expect(judge(reply, 'Goodbye! Come back soon.')).toBe('wrong 0.1');
    expect(judge(reply, 'Hello! How can I help you? Goodbye! Come back soon.')).toBe('wrong 0');
  });
});
