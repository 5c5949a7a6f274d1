import { describe, expect, it } from 'vitest';
import { type Plot, svgPlot } from './plot.ts';

function plotOf(kind: Plot['kind'], values: readonly number[]): Plot {
  return {
    kind,
    xName: 'examples',
    yName: 'accuracy',
    xs: values.map((_value, i) => ({ label: `k${i}` })),
    series: [
      { name: 'prompt', points: values.map((value, x) => ({ x, value, low: value - 0.005, high: value + 0.005 })) },
    ],
  };
}

/** Numbers on the axis, and where they stand. */
function numbersOf(svg: string): { readonly x: number; readonly text: string }[] {
  return [...svg.matchAll(/<text x="([\d.]+)"[^>]*>([+−]?\d[\d.]*)<\/text>/g)].map(([, x, text]) => ({
    x: Number(x),
    text: text!,
  }));
}

describe('the numbers on an axis', () => {
  it.each([
    ['a narrow range', [0.5, 0.53]],
    ['a wide range', [0.1, 0.9]],
  ])('of %s differ from each other', (_name, values) => {
    const numbers = numbersOf(svgPlot(plotOf('lines', values), 'accuracy')).map(({ text }) => text);
    expect(numbers.length).toBeGreaterThan(2);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('have room at the end', () => {
    const svg = svgPlot(plotOf('intervals', [0.03, 0.13]), 'difference');
    const width = Number(/viewBox="0 0 (\d+)/.exec(svg)![1]);
    const last = numbersOf(svg).reduce((a, b) => (b.x > a.x ? b : a));
    // Half of five characters of 6.4 units.
    expect(last.x + 16).toBeLessThanOrEqual(width);
  });
});
