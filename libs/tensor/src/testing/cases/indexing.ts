import type { IndexingParams } from '../../ir/primitive.ts';
import { type Cases, ids } from './row.ts';

export const indexingCases: Cases<keyof IndexingParams> = {
  gather: {
    cases: [
      { params: { axis: 0 }, operands: [{ shape: [4, 3] }, ids([2, 5], 4)] },
      { params: { axis: 0 }, operands: [{ shape: [4] }, ids([3], 4)] },
      { params: { axis: 1 }, operands: [{ shape: [2, 4, 3] }, ids([2, 2], 4)] },
      { params: { axis: 2 }, operands: [{ shape: [2, 3, 4] }, ids([], 4)] },
    ],
    differentiable: [0],
    smooth: true,
  },
  scatterAdd: {
    cases: [{ params: {}, operands: [{ shape: [4, 3] }, ids([2, 5], 4), { shape: [2, 5, 3] }] }],
    differentiable: [0, 2],
    smooth: true,
  },
  scatterSet: {
    cases: [
      {
        params: {},
        operands: [{ shape: [4, 3] }, { ...ids([2], 4), draw: (_random, i) => 3 - 2 * i }, { shape: [2, 3] }],
      },
    ],
    differentiable: [0, 2],
    smooth: true,
  },
  takeAlong: {
    cases: [
      { params: { axis: 1 }, operands: [{ shape: [3, 4] }, ids([3, 2], 4)] },
      { params: { axis: 1 }, operands: [{ shape: [2, 4, 3] }, ids([2, 5, 3], 4)] },
    ],
    differentiable: [0],
    smooth: true,
  },
  scatterAlong: {
    cases: [
      { params: { axis: 1 }, operands: [{ shape: [3, 4] }, ids([3, 2], 4), { shape: [3, 2] }] },
      { params: { axis: 0 }, operands: [{ shape: [3, 4] }, ids([5, 4], 3), { shape: [5, 4] }] },
    ],
    differentiable: [0, 2],
    smooth: true,
  },
  topIndices: {
    cases: [
      { params: { axis: 1, k: 3, largest: true }, operands: [{ shape: [3, 6] }] },
      { params: { axis: 0, k: 5, largest: false }, operands: [{ shape: [5, 3] }] },
      // Equal elements keep their order
      { params: { axis: 1, k: 9, largest: true }, operands: [ids([2, 9], 3)] },
      { params: { axis: 1, k: 9, largest: false }, operands: [ids([2, 9], 3)] },
    ],
  },
};
