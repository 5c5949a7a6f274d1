import { describe, expect, it } from 'vitest';
import { differenceOverRuns, meanOverRuns } from '../metrics.ts';
import { cellResult } from '../testing/cell-result.ts';
import { accuracyOver, comparedWords, curveOf, differenceOf, isShown, signed } from './findings.ts';

const bits = (text: string): boolean[] => Array.from(text, (one) => one === '1');

describe('differences', () => {
  it('of one pair are over its texts, by the normal distribution', () => {
    // Gains 1, 1, 0, −1, 0, 1, 0, 1: mean 3/8, squared deviations 4 · (5/8)² + 3 · (3/8)² + (11/8)² = 3.875.
    const { value, low, high, seeds, texts } = differenceOverRuns([[bits('11010101'), bits('00011000')]]);
    const half = 1.959963984540054 * Math.sqrt(3.875 / 7 / 8);
    expect([value, seeds, texts]).toEqual([0.375, 1, 8]);
    expect(high).toBeCloseTo(0.375 + half, 12);
    expect(low).toBeCloseTo(0.375 - half, 12);
  });

  it('of several runs hold the doubt of the draw of examples and that of the draw of texts', () => {
    // Differences of the runs 1/2 and 0: mean 1/4, standard error 1/4, and t of one degree of freedom.
    // Mean gains of the texts 1/2, 1/2, 0, 0: variance 1/12.
    const pairs = [
      [bits('1100'), bits('0000')],
      [bits('0011'), bits('0011')],
    ] as const;
    const { value, low, high } = differenceOverRuns(pairs);
    const half = Math.hypot(12.706 * 0.25, 1.959963984540054 * Math.sqrt(1 / 12 / 4));
    expect(value).toBe(0.25);
    expect(high).toBeCloseTo(0.25 + half, 10);
    expect(low).toBeCloseTo(0.25 - half, 10);
  });

  it('of texts that are no pairs are none', () => {
    expect(() => differenceOverRuns([[bits('110'), bits('10')]])).toThrow('internal: 2 and 3 texts are no pairs');
  });

  it('pair runs by their seeds, and what has no seeds with each', () => {
    const a = [cellResult({ seed: 1, right: '1110' }), cellResult({ seed: 2, right: '1111' })];
    const b = [cellResult({ seed: 2, right: '1100' }), cellResult({ seed: 3, right: '1111' })];
    expect(differenceOf(a, b)).toMatchObject({ value: 0.5, seeds: 1, texts: 4 });
    expect(differenceOf(a, [cellResult({ seed: 9, shots: 0, right: '1000' })])).toMatchObject({
      value: 0.625,
      seeds: 2,
    });
    expect(differenceOf(a, [])).toBeUndefined();
    expect(differenceOf(a, [cellResult({ seed: 9, right: '1000' })])).toBeUndefined();
  });
});

describe('means', () => {
  it('of one run are a share with Wilson’s interval', () => {
    expect(accuracyOver([cellResult({ right: '1110' })])).toMatchObject({ value: 0.75, count: 1 });
    // Wilson 1927, of 3 of 4.
    expect(accuracyOver([cellResult({ right: '1110' })])!.low).toBeCloseTo(0.3006, 4);
  });

  it('of runs that agree are still in doubt about the texts', () => {
    const one = meanOverRuns([0.75], 100);
    const three = meanOverRuns([0.75, 0.75, 0.75], 100);
    expect(three.low).toBeCloseTo(one.low, 12);
    expect(three.high).toBeCloseTo(one.high, 12);
    expect(meanOverRuns([0.7, 0.75, 0.8], 100).low).toBeLessThan(one.low);
  });

  it('make a curve by the number of examples, all of the data last', () => {
    const results = [
      cellResult({ shots: 'all', right: '1111' }),
      cellResult({ shots: 16, right: '1110' }),
      cellResult({ shots: 4, seed: 1, right: '1100' }),
      cellResult({ shots: 4, seed: 2, right: '1000' }),
      cellResult({ shots: 4, part: 'size', right: '0000' }),
    ];
    const curve = curveOf(results, { role: 'encoder', method: 'prompt' });
    expect(curve.map(({ shots, value, count }) => [shots, value, count])).toEqual([
      [4, 0.375, 2],
      [16, 0.75, 1],
      ['all', 1, 1],
    ]);
  });
});

describe('words', () => {
  const difference = (value: number, low: number, high: number) => ({ value, low, high, seeds: 5, texts: 100 });

  it('say what is better only where the interval leaves 0 out', () => {
    expect(comparedWords('A', 'B', difference(0.07, 0.02, 0.12))).toBe('A is better than B by 0.07 (0.02 to 0.12)');
    expect(comparedWords('A', 'B', difference(-0.07, -0.12, -0.02))).toBe('B is better than A by 0.07 (0.02 to 0.12)');
    expect(comparedWords('A', 'B', difference(0.01, -0.03, 0.05))).toBe(
      'no difference between A and B was shown (0.01; −0.03 to 0.05)',
    );
    expect(isShown(difference(0.01, 0, 0.02))).toBe(false);
  });

  it('have a minus sign for what is below 0 as it is shown', () => {
    expect([signed(-0.104), signed(-0.001), signed(0.2)]).toEqual(['−0.10', '0.00', '0.20']);
  });
});
