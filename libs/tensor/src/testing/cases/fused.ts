import type { FusedParams } from '../../ir/primitive.ts';
import { type Cases, ids } from './row.ts';

export const fusedCases: Cases<keyof FusedParams> = {
  softmax: { cases: [{ params: {}, operands: [{ shape: [2, 3, 4] }] }], differentiable: [0], smooth: true },
  rmsNorm: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [2, 3, 4] }, { shape: [4] }] }],
    differentiable: [0, 1],
    smooth: true,
  },
  inverseRms: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [3, 4] }] }],
    differentiable: [0],
    smooth: true,
  },
  layerNorm: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [2, 3, 4] }, { shape: [4] }, { shape: [4] }] }],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  inverseStd: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [3, 4] }] }],
    differentiable: [0],
    smooth: true,
  },
  rotary: {
    cases: [
      { params: { heads: 2 }, operands: [{ shape: [2, 3, 8] }, ids([2, 3], 5), { shape: [5, 2] }, { shape: [5, 2] }] },
    ],
    differentiable: [0],
    withoutGradient: [2, 3],
    smooth: true,
  },
  tokenLogProbability: {
    cases: [5, 2].map((rows) => ({ params: { rows }, operands: [{ shape: [5, 3] }, { shape: [4, 3] }, ids([5], 4)] })),
    differentiable: [0, 1],
    smooth: true,
  },
  tokenLogProbabilityGradient: {
    cases: (['hidden', 'weight'] as const).flatMap((by) =>
      [5, 2].map((rows) => ({
        params: { by, rows },
        operands: [{ shape: [5, 3] }, { shape: [4, 3] }, ids([5], 4), { shape: [5] }],
      })),
    ),
    differentiable: [0, 1, 3],
    smooth: true,
  },
  likeliestToken: {
    cases: [5, 2].map((rows) => ({ params: { rows }, operands: [{ shape: [5, 3] }, { shape: [4, 3] }] })),
  },
};
