import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';

const search = {
  expected: { kind: 'action', step: 2, action: 'Search', argument: 'Oro Mek', others: [] },
  response: 'Thought 2: It is Oro Mek. I need the home.\nAction 2: Search[Oro Mek]',
} as const;
const python = {
  expected: { kind: 'action', step: 1, action: 'Python', argument: '12.5 * 40', value: '500', others: [] },
} as const;
const finish = {
  expected: { kind: 'action', step: 2, action: 'Finish', argument: '1500.25', value: '1500.25', others: [] },
} as const;

describe('an action', () => {
  it('is right after a thought, whatever the thought', () => {
    expect(judge(search, search.response)).toBe('right 1');
    expect(judge(search, 'Thought 2: Who is that?\nAction 2: search[oro mek]')).toBe('right 1');
  });

  it('may be written as any expression or number of the same worth', () => {
    expect(judge(python, 'Thought 1: I calculate.\nAction 1: Python[40 * 12.5]')).toBe('right 1');
    expect(judge(python, 'Thought 1: I calculate.\nAction 1: Python[40 * 12.6]')).toBe('wrong 0.1');
    expect(judge(python, 'Thought 1: I calculate.\nAction 1: Python[import os]')).toBe('wrong 0.1');
    expect(judge(finish, 'Thought 2: I know.\nAction 2: Finish[1,500.250]')).toBe('right 1');
    expect(judge(finish, 'Thought 2: I know.\nAction 2: Finish[1500]')).toBe('wrong 0.1');
  });

  it('lacks something without its thought', () => {
    expect(judge(search, 'Action 2: Search[Oro Mek]')).toBe('unworked 0.6');
  });

  it('is rambling with another number, long thoughts or text around it', () => {
    expect(judge(search, 'Thought 3: It is Oro Mek.\nAction 3: Search[Oro Mek]')).toBe('rambling 0.6');
    expect(judge(search, 'Thought 2: One. Two. Three.\nAction 2: Search[Oro Mek]')).toBe('rambling 0.6');
    expect(judge(search, `${search.response}\nObservation 2: Oro Mek is a baker.`)).toBe('rambling 0.6');
    expect(judge(search, `Let me see.\n${search.response}`)).toBe('rambling 0.6');
    expect(judge(search, `${search.response}\n${search.response}`)).toBe('rambling 0.6');
  });

  it('is wrong when it does something else, also when it does the right thing besides', () => {
    expect(judge(search, 'Thought 2: It is.\nAction 2: Search[Tamova]')).toBe('wrong 0.1');
    expect(judge(search, 'Thought 2: It is.\nAction 2: Finish[Oro Mek]')).toBe('wrong 0.1');
    expect(judge(search, `${search.response}\nAction 2: Search[Tamova]`)).toBe('wrong 0');
    expect(judge(search, 'Oro Mek')).toBe('wrong 0.1');
    expect(judge(search, 'Search[Oro Mek]')).toBe('wrong 0.1');
  });

  it('counts for little when it is broken off', () => {
    expect(judge(search, 'Thought 2: It is Oro Mek. I n', false)).toBe('unfinished 0.3');
  });
});
