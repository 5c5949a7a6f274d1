import { describe, expect, it } from 'vitest';
import { decimalFrom, divide, floor, isClose, multiply, parseRational, subtract } from './rational.ts';

const of = (text: string) => parseRational(text)!;

describe('parseRational', () => {
  it('reads whole numbers and decimals', () => {
    expect(parseRational('31231.231')).toEqual({ numerator: 31231231n, denominator: 1000n });
    expect(parseRational('-7')).toEqual({ numerator: -7n, denominator: 1n });
    expect(parseRational('.5')).toEqual({ numerator: 5n, denominator: 10n });
    expect(parseRational('5.')).toEqual({ numerator: 5n, denominator: 1n });
  });

  it('reads nothing else', () => {
    for (const text of ['', '.', '-', '1e3', '0x10', '1,000', '1.2.3', ' 1', 'one', '１２'])
      expect(parseRational(text), text).toBeUndefined();
  });
});

describe('exact arithmetic', () => {
  it('multiplies decimals without rounding', () => {
    expect(decimalFrom(multiply(of('9283'), of('31231.231')), 6)).toBe('289919517.373');
    expect(decimalFrom(subtract(of('0.3'), of('0.1')), 20)).toBe('0.2');
  });

  it('rounds down as Python does', () => {
    expect(floor(divide(of('7'), of('2')))).toEqual({ numerator: 3n, denominator: 1n });
    expect(floor(divide(of('-7'), of('2')))).toEqual({ numerator: -4n, denominator: 1n });
    expect(floor(divide(of('7'), of('-2')))).toEqual({ numerator: -4n, denominator: 1n });
    expect(floor(divide(of('-8'), of('2')))).toEqual({ numerator: -4n, denominator: 1n });
  });
});

describe('decimalFrom', () => {
  it('rounds half away from zero and drops zeros at the end', () => {
    expect(decimalFrom(divide(of('2'), of('3')), 3)).toBe('0.667');
    expect(decimalFrom(of('1.25'), 1)).toBe('1.3');
    expect(decimalFrom(of('-1.25'), 1)).toBe('-1.3');
    expect(decimalFrom(of('-0.004'), 2)).toBe('0');
    expect(decimalFrom(of('100'), 3)).toBe('100');
    expect(decimalFrom(of('12.5'), 0)).toBe('13');
  });
});

describe('isClose', () => {
  it('allows a thousandth, and more only where floating point needs it', () => {
    expect(isClose(of('5.001'), of('5'))).toBe(true);
    expect(isClose(of('5.0011'), of('5'))).toBe(false);
    expect(isClose(of('482931'), of('482913'))).toBe(false);
    expect(isClose(of('1000000000000000100'), of('1000000000000000000'))).toBe(true);
    expect(isClose(of('-5'), of('5'))).toBe(false);
  });
});
