import type { ReductionParams } from '../../ir/primitive.ts';
import { stridesOf } from '../../shape.ts';
import { forEachIndex, lastSize, logSumExpOf, type ReferenceArray, type ReferenceRules, rows } from './rule.ts';

export const reductionReference: ReferenceRules<keyof ReductionParams> = {
  sum: (y, [x], { axes }) => reduce(y, x!, axes, 0, (sum, value) => sum + value),
  max: (y, [x], { axes }) => reduce(y, x!, axes, -Infinity, Math.max),
  logSumExp: (y, [x]) => rows(x!, (row, r) => (y.data[r] = logSumExpOf(row))),
  cumulativeSum: (y, [x], { reverse }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      let running = 0;
      for (let j = 0; j < size; j++) {
        const at = reverse ? size - 1 - j : j;
        y.data[r * size + at] = running += row[at]!;
      }
    });
  },
  argMax: (y, [x]) => rows(x!, (row, r) => (y.data[r] = row.indexOf(row.reduce((a, b) => Math.max(a, b))))),
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
