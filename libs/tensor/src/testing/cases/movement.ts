import type { MovementParams } from '../../ir/primitive.ts';
import { type Cases, x } from './row.ts';

export const movementCases: Cases<keyof MovementParams> = {
  reshape: { cases: [{ params: { shape: [3, 2] }, operands: [x] }], differentiable: [0], smooth: true },
  transpose: {
    cases: [
      { params: { permutation: [1, 0] }, operands: [x] },
      { params: { permutation: [2, 0, 1] }, operands: [{ shape: [2, 3, 4] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  broadcast: {
    cases: [
      { params: { shape: [4, 2, 3] }, operands: [x] },
      { params: { shape: [2, 3] }, operands: [{ shape: [2, 1] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  concat: {
    cases: [{ params: { axis: 1 }, operands: [x, { shape: [2, 1] }, { shape: [2, 2] }] }],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  slice: {
    cases: [
      { params: { starts: [0, 1], ends: [1, 3] }, operands: [{ shape: [2, 4] }] },
      { params: { starts: [1, 0, 1], ends: [3, 5, 2], steps: [1, 2, 1] }, operands: [{ shape: [3, 6, 2] }] },
      { params: { starts: [0, 0], ends: [5, 6], steps: [3, 2] }, operands: [{ shape: [5, 6] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  flip: {
    cases: [
      { params: { axes: [1] }, operands: [x] },
      { params: { axes: [0, 2] }, operands: [{ shape: [2, 3, 2] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  pad: {
    cases: [
      { params: { before: [1, 0], after: [0, 2] }, operands: [x] },
      { params: { before: [0, 1], after: [2, 0] }, operands: [x, { shape: [] }] },
    ],
    differentiable: [0, 1],
    smooth: true,
  },
};
