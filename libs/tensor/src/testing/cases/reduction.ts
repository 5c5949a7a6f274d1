import type { ReductionParams } from '../../ir/primitive.ts';
import { below, type Cases, uniform, x } from './row.ts';

const extremes = [
  { params: { axes: [1], keepDims: true }, operands: [{ shape: [2, 4] }] },
  { params: { axes: [0, 1], keepDims: false }, operands: [x] },
];

const places = [
  { params: { axis: 1 }, operands: [{ shape: [4, 7] }] },
  // Of equal ones the first
  { params: { axis: 0 }, operands: [{ shape: [5, 4], dtype: 'int32' as const, draw: below(3) }] },
];

export const reductionCases: Cases<keyof ReductionParams> = {
  sum: {
    cases: [
      { params: { axes: [0, 1], keepDims: false }, operands: [x] },
      { params: { axes: [1], keepDims: true }, operands: [{ shape: [2, 3, 2] }] },
      { params: { axes: [0, 2], keepDims: false }, operands: [{ shape: [2, 3, 2] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  max: { cases: extremes, differentiable: [0], smooth: true },
  min: { cases: extremes, differentiable: [0], smooth: true },
  logSumExp: {
    cases: [{ params: {}, operands: [{ shape: [2, 5], draw: uniform(-30, 30) }] }],
    differentiable: [0],
    smooth: true,
  },
  cumulativeSum: {
    cases: [
      { params: { axis: 1, exclusive: false, reverse: false }, operands: [{ shape: [2, 4] }] },
      { params: { axis: 1, exclusive: false, reverse: true }, operands: [{ shape: [2, 4] }] },
      { params: { axis: 0, exclusive: true, reverse: false }, operands: [{ shape: [4, 2] }] },
      { params: { axis: 1, exclusive: true, reverse: true }, operands: [{ shape: [2, 3, 2] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  argMax: { cases: places },
  argMin: { cases: places },
};
