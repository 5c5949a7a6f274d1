import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { mul } from '../library/elementwise.ts';
import { pad, reshape, sliceAxis } from '../library/movement.ts';
import { cachedAttention } from '../library/neural.ts';
import type { RewriteRule } from './rewrite.ts';

/** ONNX Runtime's decoding kernel refuses head sizes that are no multiple of this. */
const kernelHeadSize = 8;

/**
 * Decoding attention with heads of a size that the kernel does not take, as attention with larger heads that end in
 * zeros. It copies the cache at every step: sizes that fit are faster.
 */
export const growHeads: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'cachedAttention')) return undefined;
  const [query, key, value, keys, values, lengths] = tensor.inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const { heads, keyValueHeads } = tensor.params;
  const [batch, , , size] = keys.shape as [number, number, number, number];
  const grown = Math.ceil(size / kernelHeadSize) * kernelHeadSize;
  if (grown === size) return undefined;
  const growLast = (x: Tensor): Tensor => {
    const none = x.shape.map(() => 0);
    return pad(x, none, none.with(-1, grown - size));
  };
  const grow = (x: Tensor, count: number): Tensor =>
    reshape(growLast(reshape(x, [batch, count, size])), [batch, 1, count * grown]);
  // The kernel divides scores by the root of the size that it sees.
  const scaled = mul(query, Math.sqrt(grown / size));
  const result = cachedAttention(
    grow(scaled, heads),
    grow(key, keyValueHeads),
    grow(value, keyValueHeads),
    { keys: growLast(keys), values: growLast(values), lengths },
    { heads, keyValueHeads },
  );
  return reshape(sliceAxis(reshape(result, [batch, heads, grown]), 2, 0, size), [batch, 1, heads * size]);
};
