import type { IndexingParams } from '../../ir/primitive.ts';
import { type Cases, ids } from './row.ts';

export const indexingCases: Cases<keyof IndexingParams> = {
  gather: {
    cases: [
      { params: {}, operands: [{ shape: [4, 3] }, ids([2, 5], 4)] },
      { params: {}, operands: [{ shape: [4] }, ids([3], 4)] },
    ],
    differentiable: [0],
    smooth: true,
  },
  scatterAdd: {
    cases: [{ params: {}, operands: [{ shape: [4, 3] }, ids([2, 5], 4), { shape: [2, 5, 3] }] }],
    differentiable: [0, 2],
    smooth: true,
  },
  takeAlong: {
    cases: [{ params: {}, operands: [{ shape: [3, 4] }, ids([3, 2], 4)] }],
    differentiable: [0],
    smooth: true,
  },
  scatterAlong: {
    cases: [{ params: {}, operands: [{ shape: [3, 4] }, ids([3, 2], 4), { shape: [3, 2] }] }],
    differentiable: [0, 2],
    smooth: true,
  },
};
