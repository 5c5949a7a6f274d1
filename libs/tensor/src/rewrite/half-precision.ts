/**
 * Mixed precision (Micikevicius et al. 2018): matrix products, attention's among them, take and give halves; everything
 * else (norms, softmax, losses, sums, the optimizer and the weights that it keeps) stays in float32. What lies between
 * products and only moves elements is halved with them.
 */
import type { HalfType } from '../dtype.ts';
import { isHalf } from '../dtype.ts';
import type { Primitive } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { cast } from '../library/elementwise.ts';
import type { RewriteRule } from './rewrite.ts';

/** Products become products of halves, with casts at the edges. */
export function halveProducts(half: HalfType): RewriteRule {
  return (tensor) => {
    if (tensor.dtype !== 'float32') return undefined;
    if (!isPrimitive(tensor, 'matmul') && !isPrimitive(tensor, 'matmulAdd')) return undefined;
    const halves = tensor.inputs.map((input) => cast(input, half));
    return cast(tensor.graph.node(tensor.primitive, halves, tensor.params), 'float32');
  };
}

const moves: readonly Primitive[] = ['reshape', 'transpose', 'slice', 'flip', 'concat', 'broadcast', 'pad'];

/** Casts that meet go; a cast to a half moves before what moves elements of a half that was cast to float32. */
export const joinCasts: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'cast') || !isHalf(tensor.dtype)) return undefined;
  const { dtype } = tensor;
  const [x] = tensor.inputs as [Tensor];
  const comesFromHalf = (operand: Tensor): boolean =>
    isPrimitive(operand, 'cast') && operand.inputs[0]!.dtype === dtype && operand.dtype === 'float32';
  if (comesFromHalf(x)) return x.inputs[0];
  if (!moves.includes(x.primitive) || uses(x) > 1 || !x.inputs.some(comesFromHalf)) return undefined;
  return x.graph.node(
    x.primitive,
    x.inputs.map((input) => cast(input, dtype)),
    x.params,
  );
};
