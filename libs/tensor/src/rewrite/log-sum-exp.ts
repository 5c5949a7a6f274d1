import { countUses, type Program } from '../ir/graph.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { log, sub } from '../library/elementwise.ts';
import { max, softmax } from '../library/reduction.ts';
import type { RewriteRule } from './rewrite.ts';

/**
 * log Σ exp x = max x - log max softmax(x). Where the softmax is needed anyway (in the gradient), this reads it and x
 * once each; ONNX Runtime's ReduceLogSumExp takes six times as long. The largest probability is at least 1/n, so its
 * logarithm is exact to rounding.
 */
export function shareSoftmax(program: Program): RewriteRule {
  const present = new Set<Tensor>();
  for (const tensor of countUses(program.outputs).keys())
    if (isPrimitive(tensor, 'softmax')) present.add(tensor.inputs[0]!);
  return (tensor) => {
    if (!isPrimitive(tensor, 'logSumExp')) return undefined;
    const x = tensor.inputs[0]!;
    if (!present.has(x)) return undefined;
    return sub(max(x, { axes: -1, keepDims: true }), log(max(softmax(x), { axes: -1, keepDims: true })));
  };
}
