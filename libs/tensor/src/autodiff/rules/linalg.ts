import type { LinalgParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { sumTo } from '../../library/elementwise.ts';
import { matmul } from '../../library/linalg.ts';
import type { GradientRules } from '../rule.ts';

export const linalgGradients: GradientRules<keyof LinalgParams> = {
  // C = α A' B' with A' = A or Aᵀ, B' = B or Bᵀ: dA' = α dC B'ᵀ and dB' = α A'ᵀ dC, transposed back where A or B was.
  // Both are matrix products, never broadcast sums.
  matmul: operandGradients,
  matmulAdd: (y, dy) => [...operandGradients(y, dy), sumTo(dy, y.inputs[2]!.shape)],
  // dx = dy W
  matmulQuantized: ({ params: { weight } }, dy) => [
    matmul(dy, dy.graph.constant('float32', [weight.rows, weight.columns], weight.dequantized())),
  ],
};

function operandGradients(y: Tensor<'matmul'> | Tensor<'matmulAdd'>, dy: Tensor): readonly Tensor[] {
  const [a, b] = y.inputs as [Tensor, Tensor];
  const { transposeA, transposeB, alpha } = y.params;
  const da = transposeA
    ? matmul(b, dy, { transposeA: transposeB, transposeB: true, alpha })
    : matmul(dy, b, { transposeB: !transposeB, alpha });
  const db = transposeB
    ? matmul(dy, a, { transposeA: true, transposeB: transposeA, alpha })
    : matmul(a, dy, { transposeA: !transposeA, alpha });
  return [sumTo(da, a.shape), sumTo(db, b.shape)];
}
