import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { mul } from '../library/elementwise.ts';
import { sum } from '../library/reduction.ts';
import { shapesEqual } from '../shape.ts';
import type { RewriteRule } from './rewrite.ts';

/**
 * Σ_j (A Bᵀ)_ij P_ij = Σ_k A_ik (P B)_ik. In the gradient of attention the left side multiplies and sums two tensors of
 * [time, time] a head, the right one two of [time, size], of which P B is the output of the forward pass (Dao et al.
 * 2022, FlashAttention, section 3.1).
 */
export const shrinkRowDot: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'sum') || !tensor.params.keepDims) return undefined;
  const [product] = tensor.inputs as [Tensor];
  const onLast = tensor.params.axes.length === 1 && tensor.params.axes[0] === product.rank - 1;
  if (!onLast || !isPrimitive(product, 'mul') || uses(product) > 1) return undefined;
  const [left, right] = product.inputs as [Tensor, Tensor];
  for (const [scores, p] of [
    [left, right],
    [right, left],
  ] as const) {
    if (!isPrimitive(scores, 'matmul') || !scores.params.transposeB || scores.params.transposeA) continue;
    const [a, b] = scores.inputs as [Tensor, Tensor];
    const inner = a.shape[a.rank - 1]!;
    if (!shapesEqual(scores.shape, p.shape) || inner >= p.shape[p.rank - 1]!) continue;
    const output = tensor.graph.node('matmul', [p, b], { transposeA: false, transposeB: false, alpha: 1 });
    if (!shapesEqual(output.shape, a.shape)) continue;
    return mul(sum(mul(a, output), { axes: -1, keepDims: true }), scores.params.alpha);
  }
  return undefined;
};
