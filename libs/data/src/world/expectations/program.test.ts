import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';
import { withOtherDigit } from './program.ts';

const ideal = 'def solution():\n    price = 12.5\n    result = price * 40\n    return result';
const program = { expected: { kind: 'program', value: '500' }, response: ideal } as const;

describe('a program', () => {
  it('is right when it evaluates to the value, however it is written', () => {
    expect(judge(program, ideal)).toBe('right 1');
    expect(judge(program, `\`\`\`python\n${ideal}\n\`\`\``)).toBe('right 1');
    expect(judge(program, `\`\`\`\n${ideal}\n\`\`\``)).toBe('right 1');
    expect(judge(program, 'def solution():\n  return 1000 / 2')).toBe('right 1');
    expect(judge(program, 'def solution():\n    """What is it?"""\n    a = 500.0009\n    return a')).toBe('right 1');
  });

  it('is rambling with text around it', () => {
    expect(judge(program, `Let me see.\n${ideal}`)).toBe('rambling 0.6');
    expect(judge(program, `${ideal}\nI hope this helps.`)).toBe('rambling 0.6');
    expect(judge(program, `\`\`\`python\n${ideal}\n\`\`\`\nI hope this helps.`)).toBe('rambling 0.6');
  });

  it('is wrong when it gives another value, fails, or is none', () => {
    expect(judge(program, ideal.replace('40', '41'))).toBe('wrong 0.1');
    expect(judge(program, `${ideal.replace('40', '41')}\nI hope this helps.`)).toBe('wrong 0');
    expect(judge(program, 'def solution():\n    return price')).toBe('wrong 0.1');
    expect(judge(program, 'def solution():\n    return 1 / 0')).toBe('wrong 0.1');
    expect(judge(program, '500')).toBe('wrong 0.1');
    expect(judge(program, 'I do not know.')).toBe('refusing 0.2');
  });

  it('counts for little when it is broken off', () => {
    expect(judge(program, ideal.slice(0, 40), false)).toBe('unfinished 0.3');
    expect(judge(program, 'def solution():\n    price = 13', false)).toBe('unfinished 0');
  });
});

describe('withOtherDigit', () => {
  it('changes exactly one digit', () => {
    const random = Random.seeded(1);
    for (let i = 0; i < 100; i++) {
      const changed = withOtherDigit('a = 905', random);
      expect(changed).toMatch(/^a = \d{3}$/);
      expect([4, 5, 6].filter((at) => changed[at] !== 'a = 905'[at])).toHaveLength(1);
    }
  });
});
