import { describe, expect, it } from 'vitest';
import { evaluateExpression, evaluateProgram } from './program.ts';
import { decimalFrom } from './rational.ts';

function valueOf(source: string): string {
  const evaluation = source.startsWith('def') ? evaluateProgram(source) : evaluateExpression(source);
  return evaluation.ok ? decimalFrom(evaluation.value, 6) : evaluation.error;
}

describe('evaluateProgram', () => {
  it('evaluates assignments and the return, exactly', () => {
    expect(
      valueOf(
        'def solution():\n    first = 9283\n    second = 31231.231\n    result = first * second\n    return result\n',
      ),
    ).toBe('289919517.373');
  });

  it('passes over docstrings, comments and blank lines', () => {
    expect(valueOf('def solution():\n  """What is 2 + 3?"""\n\n  a = 2  # two\n  # three\n  return a + 3')).toBe('5');
  });

  it('says what is wrong', () => {
    const errors = {
      'def other():\n  return 1': 'the first line must be def solution():',
      'def solution():\nreturn 1': 'the body must be indented',
      'def solution():': 'the body must be indented',
      'def solution():\n  a = 1': 'there is no return',
      'def solution():\n  a = 1\n    return a': 'return a: all lines of the body must be indented alike',
      'def solution():\n  return 1\n  a = 2': 'nothing may follow the return',
      'def solution():\n  import os\n  return 1': 'import os: is neither an assignment nor a return',
      'def solution():\n  a == 1\n  return 1': 'a == 1: is neither an assignment nor a return',
      'def solution():\n  return b': 'b: is neither a number nor a name that has a value',
      'def solution():\n  return': 'an expression ends too early',
    };
    for (const [source, error] of Object.entries(errors)) expect(valueOf(source)).toBe(error);
  });

  it('refuses what would eat memory or the stack', () => {
    const squares = `def solution():\n  a = 999999\n${'  a = a * a\n'.repeat(40)}  return a`;
    expect(valueOf(squares)).toBe('a number grows too large');
    expect(evaluateExpression(`${'('.repeat(2000)}1${')'.repeat(2000)}`)).toEqual({
      ok: false,
      error: 'it is nested too deeply',
    });
    expect(evaluateExpression(`1${' '.repeat(5000)}`)).toEqual({
      ok: false,
      error: 'it is longer than 4096 characters',
    });
  });
});

describe('evaluateExpression', () => {
  it('knows precedence, signs and the divisions of Python', () => {
    expect(valueOf('2 + 3 * 4 - 5')).toBe('9');
    expect(valueOf('(2 + 3) * -4')).toBe('-20');
    expect(valueOf('20 - 5 - 5')).toBe('10');
    expect(valueOf('100 / 10 / 5')).toBe('2');
    expect(valueOf('7 // 2 + 7 % 2')).toBe('4');
    expect(valueOf('-7 // 2')).toBe('-4');
    expect(valueOf('-7 % 3')).toBe('2');
    expect(valueOf('.5 * 3.')).toBe('1.5');
  });

  it('refuses what is not a sum of numbers', () => {
    expect(valueOf('1 / 0')).toBe('division by zero');
    expect(valueOf('5 % (2 - 2)')).toBe('division by zero');
    expect(valueOf('2 ** 3')).toBe('*: is neither a number nor a name that has a value');
    expect(valueOf('(1 + 2')).toBe('a parenthesis is not closed');
    expect(valueOf('1 2')).toBe('2: is not expected here');
    expect(valueOf('constructor')).toBe('constructor: is neither a number nor a name that has a value');
    expect(valueOf('')).toBe('an expression ends too early');
  });
});
