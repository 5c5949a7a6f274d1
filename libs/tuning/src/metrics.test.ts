import { describe, expect, it } from 'vitest';
import { classificationFigures, meanWithInterval, shareWithInterval } from './metrics.ts';

describe('intervals', () => {
  it("Wilson's, as worked out with R's prop.test(correct = FALSE)", () => {
    const { value, low, high } = shareWithInterval(8, 10);
    expect([value, low, high].map((each) => each.toFixed(4))).toEqual(['0.8000', '0.4902', '0.9433']);
    expect(shareWithInterval(0, 20).low).toBe(0);
    expect(shareWithInterval(0, 20).high).toBeCloseTo(0.1611, 4);
  });

  it("Student's over runs", () => {
    // Standard deviation 0.1 of three: 0.1 / √3 · 4.303
    const { value, low, high } = meanWithInterval([0.6, 0.7, 0.8]);
    expect(value).toBeCloseTo(0.7, 12);
    expect(high - value).toBeCloseTo(0.24843, 4);
    expect(value - low).toBeCloseTo(high - value, 12);
  });
});

describe('classificationFigures', () => {
  it('counts', () => {
    const rows = [
      [0.8, 0.2],
      [0.4, 0.6],
      [0.5, 0.5],
      [0.1, 0.9],
    ];
    const figures = classificationFigures(rows, [0, 0, 1, 1]);
    expect(figures.confusion).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(figures.accuracy.value).toBe(0.5);
    expect(figures.macroF1).toBe(0.5);
    expect(figures.majority).toBe(0.5);
    expect(figures.logLoss).toBeCloseTo(-(Math.log(0.8) + Math.log(0.4) + Math.log(0.5) + Math.log(0.9)) / 4, 12);
  });

  it('a label that is never said has an F1 of 0', () => {
    const figures = classificationFigures(
      [
        [0.9, 0.1],
        [0.9, 0.1],
        [0.9, 0.1],
      ],
      [0, 0, 1],
    );
    // 2 · 2 / (2 + 3) and 0
    expect(figures.macroF1).toBeCloseTo(0.4, 12);
    expect(figures.majority).toBeCloseTo(2 / 3, 12);
  });
});
