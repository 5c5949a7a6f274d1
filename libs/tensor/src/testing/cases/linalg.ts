import { Random } from '@crucible/foundation';
import type { LinalgParams, PrimitiveParams } from '../../ir/primitive.ts';
import type { QuantizedBits } from '../../quantized-matrix.ts';
import { randomQuantized } from '../random-quantized.ts';
import type { Cases } from './row.ts';

function quantized(bits: QuantizedBits, rows: number, columns: number): PrimitiveParams['matmulQuantized'] {
  return { weight: randomQuantized(Random.seeded(columns), bits, [rows, columns]), precision: 'float32' };
}

const product = { transposeA: false, transposeB: false, alpha: 1 };

export const linalgCases: Cases<keyof LinalgParams> = {
  matmul: {
    cases: [
      { params: product, operands: [{ shape: [2, 3] }, { shape: [3, 4] }] },
      { params: { ...product, transposeA: true, alpha: 0.5 }, operands: [{ shape: [3, 2] }, { shape: [3, 4] }] },
      { params: { ...product, transposeB: true }, operands: [{ shape: [2, 3] }, { shape: [4, 3] }] },
      { params: { ...product, transposeA: true, transposeB: true }, operands: [{ shape: [3, 2] }, { shape: [4, 3] }] },
      {
        params: { ...product, transposeB: true, alpha: 2 },
        operands: [{ shape: [2, 2, 3, 2] }, { shape: [2, 2, 3, 2] }],
      },
      { params: { ...product, transposeA: true }, operands: [{ shape: [2, 3, 4] }, { shape: [2, 3, 2] }] },
      { params: product, operands: [{ shape: [2, 1, 2, 3] }, { shape: [2, 3, 2] }] },
      { params: product, operands: [{ shape: [3, 2, 2] }, { shape: [2, 3] }] },
    ],
    differentiable: [0, 1],
    smooth: true,
  },
  matmulAdd: {
    cases: [
      { params: product, operands: [{ shape: [2, 3] }, { shape: [3, 4] }, { shape: [4] }] },
      {
        params: { transposeA: true, transposeB: true, alpha: 3 },
        operands: [{ shape: [3, 2] }, { shape: [4, 3] }, { shape: [2, 4] }],
      },
    ],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  matmulQuantized: {
    cases: [
      { params: quantized(4, 5, 64), operands: [{ shape: [3, 64] }] },
      { params: quantized(8, 4, 32), operands: [{ shape: [2, 32] }] },
      // A last block that is not full, an odd number of blocks
      { params: quantized(4, 3, 70), operands: [{ shape: [1, 70] }] },
      { params: quantized(8, 3, 20), operands: [{ shape: [2, 20] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
};
