/**
 * Sums worked column by column, least significant digit first, one line a column, so that each line needs two digits
 * of the question and one of the line before:
 *
 *     347 + 285      7+5+0=12   digit + digit + carry = carry and digit
 *                    4+8+1=13
 *                    3+2+1=06
 *     347 - 285      07-5-0=2   the ten that is borrowed, if any, stands before the digit; then minus the last borrow
 *                    14-8-0=6
 *                    03-2-1=0
 *     34 * 7         4*7+0=28   as for sums
 *                    3*7+2=23
 */

export type Operator = '+' | '-' | '*';

/** Whole numbers from 0 to 999; `-` never goes below zero, `*` has a single digit on one side. */
export interface Sum {
  readonly a: number;
  readonly operator: Operator;
  readonly b: number;
}

export function sumValue({ a, operator, b }: Sum): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
  }
}

/** The columns, from the right; every line ends with its digit of the result. */
export function workingLines({ a, operator, b }: Sum): string[] {
  const [top, bottom] = operator === '*' && b > a ? [b, a] : [a, b];
  const width = Math.max(String(a).length, String(b).length);
  const lines: string[] = [];
  let carry = 0;
  for (let column = 0; column < width; column++) {
    const x = digitAt(top, column);
    const y = operator === '*' ? bottom : digitAt(bottom, column);
    if (operator === '-') {
      const borrow = x - y - carry < 0 ? 1 : 0;
      lines.push(`${borrow}${x}-${y}-${carry}=${borrow * 10 + x - y - carry}`);
      carry = borrow;
    } else {
      const value = (operator === '+' ? x + y : x * y) + carry;
      lines.push(`${x}${operator}${y}+${carry}=${String(value).padStart(2, '0')}`);
      carry = Math.floor(value / 10);
    }
  }
  return lines;
}

export function workedAnswer(lines: readonly string[], value: number | string): string {
  return `${lines.join('\n')}\nThe answer is ${value}.`;
}

/** Whether a line is in the notation of a column, be it right or not. */
export function isWorkingLine(line: string): boolean {
  return /^\d{1,2}[+*-]\d[+-]\d=\d{1,2}$/.test(line);
}

function digitAt(number: number, column: number): number {
  return Math.floor(number / 10 ** column) % 10;
}
