import type { ConvolutionParams } from '../../ir/primitive.ts';
import type { Cases } from './row.ts';

export const convolutionCases: Cases<keyof ConvolutionParams> = {
  conv: {
    cases: [
      {
        params: { strides: [1], dilations: [1], before: [0], after: [0], groups: 1 },
        operands: [{ shape: [2, 3, 5] }, { shape: [4, 3, 2] }],
      },
      {
        params: { strides: [2], dilations: [3], before: [4], after: [1], groups: 2 },
        operands: [{ shape: [2, 4, 7] }, { shape: [6, 2, 3] }, { shape: [6] }],
      },
      // Padding beyond the kernel, and an input whose last element no window reaches
      {
        params: { strides: [3], dilations: [1], before: [3], after: [0], groups: 1 },
        operands: [{ shape: [1, 2, 6] }, { shape: [2, 2, 2] }],
      },
      {
        params: { strides: [2, 1], dilations: [1, 2], before: [1, 0], after: [0, 2], groups: 3 },
        operands: [{ shape: [2, 3, 4, 5] }, { shape: [3, 1, 2, 3] }, { shape: [3] }],
      },
    ],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  convTranspose: {
    cases: [
      {
        params: { strides: [1], dilations: [1], before: [0], after: [0], groups: 1, size: [5] },
        operands: [{ shape: [2, 4, 4] }, { shape: [4, 3, 2] }],
      },
      // An element of the result that no window reaches, padding beyond the kernel, groups
      {
        params: { strides: [3], dilations: [2], before: [4], after: [1], groups: 2, size: [9] },
        operands: [{ shape: [2, 4, 4] }, { shape: [4, 2, 3] }],
      },
      {
        params: { strides: [2, 1], dilations: [1, 2], before: [1, 0], after: [0, 2], groups: 3, size: [4, 5] },
        operands: [{ shape: [1, 3, 2, 3] }, { shape: [3, 1, 2, 3] }],
      },
    ],
    differentiable: [0, 1],
    smooth: true,
  },
};
