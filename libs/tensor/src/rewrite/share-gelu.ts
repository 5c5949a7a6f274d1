/**
 * x Φ(x) = s (1 + erf s) / √2 with s = x/√2: the gradient needs s and 1 + erf s as well, and then they are worked out
 * once. The two constants go into the matrix products before and behind, where they cost nothing.
 */
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { add, erf, gelu, mul } from '../library/elementwise.ts';
import { filledWith } from './simplify.ts';
import type { RewriteRule } from './rewrite.ts';

/** Writes out every gelu. */
export const splitGelu: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'gelu')) return undefined;
  const s = mul(tensor.inputs[0]!, Math.SQRT1_2);
  return mul(mul(s, add(erf(s), 1)), Math.SQRT1_2);
};

/** Joins again what nothing else reads: the kernel is one pass over memory. */
export const joinGelu: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'mul')) return undefined;
  const [product, half] = tensor.inputs as [Tensor, Tensor];
  if (filledWith(half) !== root || !isPrimitive(product, 'mul') || uses(product) > 1) return undefined;
  const [s, twice] = product.inputs as [Tensor, Tensor];
  if (!isPrimitive(s, 'mul') || filledWith(s.inputs[1]!) !== root || uses(twice) > 1) return undefined;
  return twice === add(erf(s), 1) ? gelu(s.inputs[0]!) : undefined;
};

/** √½ as a float32, which constants are. */
const root = Math.fround(Math.SQRT1_2);
