import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { mul } from '../library/elementwise.ts';
import { broadcastTo } from '../library/movement.ts';
import { scatterAlong } from '../library/indexing.ts';
import { shapesEqual } from '../shape.ts';
import { filledWith } from './simplify.ts';
import type { RewriteRule } from './rewrite.ts';

/** x + scatter(0, i, u) = scatter(x, i, u): no tensor of zeros is filled, written and added. */
export const fuseScatter: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'add') && !isPrimitive(tensor, 'sub')) return undefined;
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  if (!shapesEqual(a.shape, b.shape)) return undefined;
  const pairs: readonly (readonly [Tensor, Tensor])[] =
    tensor.primitive === 'add'
      ? [
          [a, b],
          [b, a],
        ]
      : [[mul(b, -1), a]];
  for (const [x, scatter] of pairs) {
    const isScatter = isPrimitive(scatter, 'scatterAdd') || isPrimitive(scatter, 'scatterAlong');
    if (!isScatter || filledWith(scatter.inputs[0]!) !== 0) continue;
    const [, indices, updates] = scatter.inputs as [Tensor, Tensor, Tensor];
    if (isPrimitive(scatter, 'scatterAdd')) return tensor.graph.node('scatterAdd', [x, indices, updates], {});
    const { axis } = scatter.params;
    const crossEntropy = axis === x.rank - 1 ? scatterCrossEntropy(x, indices, updates) : undefined;
    return crossEntropy ?? scatterAlong(x, indices, updates, { axis });
  }
  return undefined;
};

/**
 * scatter(p · (-s), i, s) with s one number a row = scatter(p, i, -1) · (-s): the gradient of a weighted cross-entropy
 * with the weight outside, from where it can move on (see moveRowScale).
 */
function scatterCrossEntropy(x: Tensor, indices: Tensor, updates: Tensor): Tensor | undefined {
  if (!isPrimitive(x, 'mul')) return undefined;
  const [a, b] = x.inputs as [Tensor, Tensor];
  // x = (p · s) · -1 after simplification, or p · (s · -1)
  for (const [base, scale] of [
    [a, b],
    [b, a],
  ] as const) {
    if (isNegated(scale, updates) || isNegated(updates, scale)) return mul(minusOneHot(base, indices), scale);
  }
  const sign = filledWith(b);
  if (sign === -1 && isPrimitive(a, 'mul')) {
    const [p, s] = a.inputs as [Tensor, Tensor];
    for (const [base, scale] of [
      [p, s],
      [s, p],
    ] as const) {
      if (scale === updates) return mul(minusOneHot(base, indices), mul(scale, -1));
    }
  }
  // A constant weight: x = p · (-c), updates filled with c
  const weight = filledWith(updates);
  if (sign !== undefined && weight !== undefined && Math.abs(sign + weight) <= 1e-6 * Math.abs(weight)) {
    return mul(minusOneHot(a, indices), sign);
  }
  return undefined;
}

/** Whether a = b · -1. */
function isNegated(a: Tensor, b: Tensor): boolean {
  return isPrimitive(a, 'mul') && filledWith(a.inputs[1]!) === -1 && a.inputs[0] === b;
}

function minusOneHot(base: Tensor, indices: Tensor): Tensor {
  return scatterAlong(base, indices, broadcastTo(base.graph.scalar(-1), indices.shape));
}
