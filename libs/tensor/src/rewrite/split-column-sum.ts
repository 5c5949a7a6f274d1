import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { reshape } from '../library/movement.ts';
import { sum } from '../library/reduction.ts';
import { sizeOf } from '../shape.ts';
import type { RewriteRule } from './rewrite.ts';

/** Parts that are summed on their own. */
const parts = 8;

/** Below this many elements the sum is not worth a second node. */
const smallest = 1 << 16;

/**
 * A sum over all axes but the last, of some thousand rows, as a sum of sums over parts of the rows: ONNX Runtime gives
 * its threads columns otherwise, which lie apart in memory, and takes twice as long. Such sums are the gradients of
 * biases.
 */
export const splitColumnSum: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'sum')) return undefined;
  const [x] = tensor.inputs as [Tensor];
  const columns = x.shape.at(-1) ?? 1;
  const rows = sizeOf(x.shape) / columns;
  const overRows = tensor.params.axes.length === x.rank - 1 && !tensor.params.axes.includes(x.rank - 1);
  if (!overRows || sizeOf(x.shape) < smallest || rows % parts !== 0 || rows < parts * parts) return undefined;
  const inParts = sum(reshape(x, [parts, rows / parts, columns]), { axes: 1 });
  return reshape(sum(inParts, { axes: 0 }), tensor.shape);
};
