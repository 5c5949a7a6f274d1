import type { OneResult } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluatePrimitive } from '../reference/evaluate.ts';
import { sizeOf } from '../shape.ts';
import type { RewriteRule } from './rewrite.ts';

/** Results up to this many elements are worked out at compile time. */
const largestFolded = 64;

/** Computes what depends on constants alone. Broadcasts stay, they are cheaper as they are. */
export const foldConstants: RewriteRule = (tensor) => {
  if (tensor.inputs.length === 0 || sizeOf(tensor.shape) > largestFolded || tensor.primitive === 'broadcast')
    return undefined;
  if (tensor.parts) return undefined;
  const values: Tensor<'constant'>[] = [];
  for (const input of tensor.inputs) {
    if (!isPrimitive(input, 'constant')) return undefined;
    values.push(input);
  }
  const inputs = values.map((value) => value.params.value);
  const folded = evaluatePrimitive(tensor.primitive as OneResult, inputs, tensor.params as never, tensor);
  return tensor.graph.node('constant', [], { value: folded as NdArray });
};
