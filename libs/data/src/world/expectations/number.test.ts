import { describe, expect, it } from 'vitest';
import { judge } from '../testing/judge.ts';
import { sumExpectation } from './number.ts';

const sum = { a: 34, operator: '+', b: 51 } as const;
const question = 'Oren has 34 apples and buys 51 more. How many apples does he have?';
const plain = { expected: sumExpectation(sum, false), question, response: '85' };
const worked = '4+1+0=05\n3+5+0=08\nThe answer is 85.';
const steps = { expected: sumExpectation(sum, true), question, response: worked };

describe('a number', () => {
  it('is right when it stands alone, in the usual words', () => {
    const answers = [
      '85',
      '85.',
      ' 85\n',
      'The answer is 85.',
      'So the answer is 85',
      'It is 85.',
      '"85"',
      '85 apples',
    ];
    for (const text of [...answers, '34 + 51 = 85', '34+51=85', '34 plus 51 is 85.']) {
      expect(judge(plain, text), text).toBe('right 1');
    }
  });

  it('may be worked out, and must be where the question asks for it', () => {
    expect(judge(plain, worked)).toBe('right 1');
    expect(judge(steps, worked)).toBe('right 1');
    expect(judge(steps, 'The answer is 85.')).toBe('unworked 0.6');
    expect(judge(steps, '4+1+0=05\nThe answer is 85.')).toBe('unworked 0.6');
    expect(judge(plain, '4+1+0=06\n3+5+0=08\nThe answer is 85.')).toBe('rambling 0.6');
    expect(judge(steps, '4+1+0=06\n3+5+0=08\nThe answer is 86.')).toBe('wrong 0.1');
    expect(judge(steps, '4+1+0=05\n3+5+0=08')).toBe('wrong 0.1');
  });

  it('is rambling with needless sentences, repetition, or more words than needed', () => {
    for (const text of ['85\n85', 'Let me see. The answer is 85.', '85. I hope this helps.', 'He has 85 apples.']) {
      expect(judge(plain, text), text).toBe('rambling 0.6');
    }
  });

  it('is not right by chance', () => {
    expect(judge(plain, 'mayor 85 of salt')).toBe('wrong 0.1');
    expect(judge(plain, 'blue 85 fish. green 85 fish.')).toBe('wrong 0');
    expect(judge(plain, 'The answer is not 85.')).toBe('wrong 0.1');
    expect(judge(plain, '84 85 86')).toBe('wrong 0');
    expect(judge(plain, 'The answer is 84. The answer is 85.')).toBe('wrong 0');
    expect(judge(plain, 'The answer is 85 or 86.')).toBe('wrong 0');
    expect(judge(plain, '34 + 52 = 85')).toBe('wrong 0');
    expect(judge(plain, '34 + 51 = 86')).toBe('wrong 0.1');
    expect(judge(plain, '850')).toBe('wrong 0.1');
    expect(judge(plain, '-85')).toBe('wrong 0.1');
    expect(judge(plain, '85 potatoes')).toBe('wrong 0.1');
  });

  it('is read with and without commas', () => {
    const large = { expected: { kind: 'number', value: 1234, worked: false } } as const;
    expect(judge(large, '1,234')).toBe('right 1');
    expect(judge(large, '1234.0')).toBe('right 1');
    expect(judge(large, '12,34')).toBe('wrong 0');
  });

  it('counts for little when it is broken off, and for nothing when it was wrong so far', () => {
    expect(judge(steps, '4+1+0=05\n3+5', false)).toBe('unfinished 0.3');
    expect(judge(plain, '4+1+0=05\n3+5', false)).toBe('unfinished 0.3');
    expect(judge(plain, '85. I hope', false)).toBe('unfinished 0.3');
    expect(judge(steps, '4+1+0=06\n3+5', false)).toBe('unfinished 0');
    expect(judge(plain, '86. I hope', false)).toBe('unfinished 0');
    expect(judge(plain, '', false)).toBe('empty 0');
  });

  it('is refused or missing', () => {
    expect(judge(plain, 'I do not know.')).toBe('refusing 0.2');
    expect(judge(plain, "Sorry, I can't do that.")).toBe('refusing 0.2');
    expect(judge(plain, ' \n ')).toBe('empty 0');
    expect(judge(plain, '???')).toBe('wrong 0.1');
    expect(judge(plain, 'a. b. c.')).toBe('wrong 0');
  });
});
