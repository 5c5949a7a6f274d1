import type { Tensor } from '../ir/tensor.ts';
import type { QuantizedMatrix } from '../quantized-matrix.ts';
import { reshape } from './movement.ts';

export interface MatmulOptions {
  /** `a` is [..., k, m]. Default: false. */
  readonly transposeA?: boolean;
  /** `b` is [..., n, k]. Default: false. */
  readonly transposeB?: boolean;
  /** Factor of the result. Default: 1. */
  readonly alpha?: number;
}

/**
 * Matrix product over the last two axes, float32; batch axes broadcast. [..., m, k] · [..., k, n] → [..., m, n]. A
 * vector [k] is a row on the left and a column on the right, and its axis is missing in the result.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  if (a.rank === 1) {
    const row = matmul(reshape(a, [1, -1]), b, { transposeB, alpha });
    return reshape(row, row.shape.toSpliced(b.rank === 1 ? -1 : -2, 1));
  }
  if (b.rank === 1) {
    const column = matmul(a, reshape(b, [-1, 1]), { transposeA, alpha });
    return reshape(column, column.shape.slice(0, -1));
  }
  const params = { transposeA, transposeB, alpha };
  if (a.rank > 2 && b.rank === 2 && !transposeA) {
    // One large product instead of a batch of small ones, here and in the gradient of `b`.
    const flat = a.graph.node('matmul', [reshape(a, [-1, a.shape[a.rank - 1]!]), b], params);
    return reshape(flat, [...a.shape.slice(0, -1), flat.shape[1]!]);
  }
  return a.graph.node('matmul', [a, b], params);
}

/**
 * x Wᵀ for a matrix W [out, in] of few bits: x [..., in] → [..., out]. The matrix becomes a part of the program. `precision`
 * of x in the product: int8, the default, is what makes it fast, and rounds x to eight bits by blocks.
 */
export function matmulQuantized(x: Tensor, weight: QuantizedMatrix, precision: 'float32' | 'int8' = 'int8'): Tensor {
  const flat = x.graph.node('matmulQuantized', [reshape(x, [-1, x.shape.at(-1)!])], { weight, precision });
  return reshape(flat, [...x.shape.slice(0, -1), weight.rows]);
}
