import { describe, expect, it } from 'vitest';
import type { Sum } from './columns.ts';
import { isWorkingLine, sumValue, workedAnswer, workingLines } from './columns.ts';

/** Reads the result back from the last digits of the lines, and what the last line carries. */
function resultOf(lines: readonly string[], { operator }: Sum): number {
  const digits = lines
    .map((line) => line.at(-1))
    .toReversed()
    .join('');
  const carry = operator === '-' ? '' : lines.at(-1)!.at(-2)!;
  return Number(carry + digits);
}

function sums(): Sum[] {
  const numbers = [...Array(40).keys(), 99, 100, 101, 109, 190, 347, 285, 500, 901, 990, 999];
  return (['+', '-', '*'] as const).flatMap((operator) =>
    numbers
      .flatMap((a) => numbers.map((b): Sum => ({ a, operator, b })))
      .filter(({ a, b }) => (operator === '-' ? a >= b : operator === '*' ? Math.min(a, b) < 10 : true)),
  );
}

describe('workingLines', () => {
  it('works from the right, as the header shows', () => {
    expect(workingLines({ a: 347, operator: '+', b: 285 })).toEqual(['7+5+0=12', '4+8+1=13', '3+2+1=06']);
    expect(workingLines({ a: 347, operator: '-', b: 285 })).toEqual(['07-5-0=2', '14-8-0=6', '03-2-1=0']);
    expect(workingLines({ a: 34, operator: '*', b: 7 })).toEqual(['4*7+0=28', '3*7+2=23']);
    expect(workingLines({ a: 7, operator: '*', b: 34 })).toEqual(['4*7+0=28', '3*7+2=23']);
    expect(workingLines({ a: 5, operator: '+', b: 95 })).toEqual(['5+5+0=10', '0+9+1=10']);
  });

  it('states true equations whose digits make up the result', () => {
    for (const sum of sums()) {
      const lines = workingLines(sum);
      for (const line of lines) {
        expect(isWorkingLine(line), line).toBe(true);
        const [left, right] = line.split('=') as [string, string];
        const [x, y, z] = left.split(/[-+*]/).map(Number) as [number, number, number];
        const value = sum.operator === '+' ? x + y + z : sum.operator === '-' ? x - y - z : x * y + z;
        expect(Number(right), line).toBe(value);
      }
      expect(resultOf(lines, sum), `${sum.a} ${sum.operator} ${sum.b}`).toBe(sumValue(sum));
    }
  });
});

describe('workedAnswer', () => {
  it('ends with the answer', () => {
    expect(workedAnswer(['4+1+0=05', '3+5+0=08'], 85)).toBe('4+1+0=05\n3+5+0=08\nThe answer is 85.');
  });
});

describe('isWorkingLine', () => {
  it('knows the notation, right or wrong', () => {
    expect(['7+5+0=13', '14-8-0=6', '4*7+0=28'].every(isWorkingLine)).toBe(true);
    expect(['7+5=12', '34+51+0=85', '7+5+0=', '7+5+0=123', 'a+5+0=12'].some(isWorkingLine)).toBe(false);
  });
});
