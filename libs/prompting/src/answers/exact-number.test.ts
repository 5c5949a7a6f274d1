import { describe, expect, it } from 'vitest';
import { areClose, exactNumber, findNumbers, numberKey } from './exact-number.ts';

function keys(text: string): string[] {
  return findNumbers(text).map(({ number }) => numberKey(number));
}

describe('numbers in a text', () => {
  it.each<[string, string[]]>([
    ['18', ['18']],
    ['1,234 and 12,345,678.50', ['1234', '12345678.5']],
    ["1'234 and 1\u202f234 and 1\u00a0234", ['1234', '1234', '1234']],
    // Commas in other places set numbers apart.
    ['1,23', ['1', '23']],
    ['3, 4, 5', ['3', '4', '5']],
    ['.5 and 0.50 and 007', ['0.5', '0.5', '7']],
    ['-5 and \u22127 and x = -0.5', ['-5', '-7', '-0.5']],
    // A dash behind a number takes away; a hyphen between them says from and to.
    ['16-3=13', ['16', '3', '13']],
    ['10 - 3', ['10', '3']],
    ['pages 5-7', ['5', '7']],
    ['$18.00', ['18']],
    ['-$5 and $-5', ['-5', '-5']],
    ['\\$1,000', ['1000']],
    ['€ 20 or £30', ['20', '30']],
    ['3/4 and 2/3 and 10/4', ['0.75', '2/3', '2.5']],
    ['1 1/2 cups', ['1.5']],
    ['1/0', []],
    ['\\frac{3}{4} and \\dfrac12', ['0.75', '0.5']],
    ['50% and 12.5 percent', ['50', '12.5']],
    ['1.5 million, 20k, 3 dozen', ['1500000', '20000', '36']],
    ['5 km and 5 kids', ['5', '5']],
    ['2.5e3, 1E-2, 3 × 10^5, 2 \\times 10^{-1}', ['2500', '0.01', '300000', '0.2']],
    ['1e999', []],
    ['twenty-one apples', ['21']],
    ['two hundred and five', ['205']],
    ['three thousand four hundred', ['3400']],
    ['a dozen eggs', ['12']],
    // These are words, not numbers.
    ['one of them, and a pair', []],
    ['someone often weighs', []],
    ['v2 and B12', ['2', '12']],
    ['no numbers', []],
  ])('%s', (text, expected) => {
    expect(keys(text)).toEqual(expected);
  });

  it('are exact at any length', () => {
    expect(keys('123456789012345678901')).toEqual(['123456789012345678901']);
    expect(keys('0.1234567890123456789')).toEqual(['0.1234567890123456789']);
  });

  it('say where they stand and whether they are percentages', () => {
    expect(findNumbers('about 50% of 12')).toMatchObject([
      { start: 6, end: 9, number: { percent: true } },
      { start: 13, end: 15, number: { percent: false } },
    ]);
  });
});

describe('closeness', () => {
  it('is a thousandth, or one part in 10^9 of the right one', () => {
    const of = (text: string) => findNumbers(text)[0]!.number;
    expect(areClose(of('3.1415'), of('3.1416'))).toBe(true);
    expect(areClose(of('3.14'), of('3.15'))).toBe(false);
    expect(areClose(of('1000000000001'), of('1000000000000'))).toBe(true);
    expect(areClose(of('1000000002000'), of('1000000000000'))).toBe(false);
    expect(areClose(of('1/3'), of('0.333333'))).toBe(true);
    expect(areClose(exactNumber(2n, 4n), exactNumber(1n, 2n), { absolute: 0, relative: 0 })).toBe(true);
  });
});
