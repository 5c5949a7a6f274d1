import type { ReductionParams } from '../../ir/primitive.ts';
import { type Cases, uniform, x } from './row.ts';

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
  max: {
    cases: [
      { params: { axes: [1], keepDims: true }, operands: [{ shape: [2, 4] }] },
      { params: { axes: [0, 1], keepDims: false }, operands: [x] },
    ],
    differentiable: [0],
  },
  logSumExp: {
    cases: [{ params: {}, operands: [{ shape: [2, 5], draw: uniform(-30, 30) }] }],
    differentiable: [0],
    smooth: true,
  },
  cumulativeSum: {
    cases: [
      { params: { reverse: false }, operands: [{ shape: [2, 4] }] },
      { params: { reverse: true }, operands: [{ shape: [2, 4] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  argMax: { cases: [{ params: {}, operands: [{ shape: [4, 7] }] }] },
};
