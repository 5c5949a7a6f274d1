import type { ReductionParams } from '../../ir/primitive.ts';
import { stridesOf } from '../../shape.ts';
import { forEachIndex, lines, logSumExpOf, type ReferenceArray, type ReferenceRules, rows } from './rule.ts';

export const reductionReference: ReferenceRules<keyof ReductionParams> = {
  sum: (y, [x], { axes }) => reduce(y, x!, axes, 0, (sum, value) => sum + value),
  max: (y, [x], { axes }) => reduce(y, x!, axes, -Infinity, Math.max),
  min: (y, [x], { axes }) => reduce(y, x!, axes, Infinity, Math.min),
  logSumExp: (y, [x]) => rows(x!, (row, r) => (y.data[r] = logSumExpOf(row))),
  cumulativeSum: (y, [x], { axis, exclusive, reverse }) => {
    const size = x!.shape[axis]!;
    lines(x!.shape, axis, (at) => {
      let running = 0;
      for (let i = 0; i < size; i++) {
        const place = at(reverse ? size - 1 - i : i);
        const before = running;
        running += x!.data[place]!;
        y.data[place] = exclusive ? before : running;
      }
    });
  },
  argMax: (y, [x], { axis }) => indexOf(y, x!, axis, (a, b) => a > b),
  argMin: (y, [x], { axis }) => indexOf(y, x!, axis, (a, b) => a < b),
};

function reduce(
  y: ReferenceArray,
  x: ReferenceArray,
  axes: readonly number[],
  initial: number,
  combine: (a: number, b: number) => number,
): void {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const strides = stridesOf(kept);
  const totals = new Float64Array(y.data.length).fill(initial);
  forEachIndex(x.shape, (index, i) => {
    const at = index.reduce((sum, step, axis) => sum + (axes.includes(axis) ? 0 : step * strides[axis]!), 0);
    totals[at] = combine(totals[at]!, x.data[i]!);
  });
  y.data.set(totals);
}

function indexOf(
  y: ReferenceArray,
  x: ReferenceArray,
  axis: number,
  isBetter: (a: number, b: number) => boolean,
): void {
  lines(x.shape, axis, (at, line) => {
    let best = 0;
    for (let i = 1; i < x.shape[axis]!; i++) if (isBetter(x.data[at(i)]!, x.data[at(best)]!)) best = i;
    y.data[line] = best;
  });
}
