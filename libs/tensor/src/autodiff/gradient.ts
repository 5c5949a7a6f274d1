/**
 * Reverse-mode differentiation: one walk from the loss back to what it depends on (Griewank & Walther 2008, chapter 3),
 * one rule per primitive. The result is made of the same nodes as the program.
 */
import { invalidInput } from '@crucible/foundation';
import { topologicalOrder } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { isTensor } from '../ir/tensor.ts';
import { add } from '../library/elementwise.ts';
import { broadcastTo } from '../library/movement.ts';
import { formatShape, sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';
import { type GradientRule, type GradientRules, noGradient } from './rule.ts';
import { convolutionGradients } from './rules/convolution.ts';
import { elementwiseGradients } from './rules/elementwise.ts';
import { fusedGradients } from './rules/fused.ts';
import { indexingGradients } from './rules/indexing.ts';
import { linalgGradients } from './rules/linalg.ts';
import { movementGradients } from './rules/movement.ts';
import { reductionGradients } from './rules/reduction.ts';

const gradientRules: GradientRules<Primitive> = {
  input: noGradient,
  constant: noGradient,
  ...elementwiseGradients,
  ...reductionGradients,
  ...linalgGradients,
  ...movementGradients,
  ...indexingGradients,
  ...convolutionGradients,
  ...fusedGradients,
};

/**
 * The gradients of a scalar float32 `loss` by every tensor in the tree `by`, as a tree of the same form and shapes.
 * What the loss does not depend on has gradient zero.
 */
export function gradient<T>(loss: Tensor, by: T): TreeLike<T, Tensor, Tensor> {
  if (sizeOf(loss.shape) !== 1 || loss.dtype !== 'float32') {
    throw invalidInput(`gradient: the loss is ${loss.dtype}${formatShape(loss.shape)}, not one float32 number`);
  }
  const targets = flatten(by, isTensor);
  for (const { path, leaf } of targets) {
    if (leaf.dtype !== 'float32') throw invalidInput(`gradient: ${path} is ${leaf.dtype}; only float32 has gradients`);
  }
  const found = backward(loss, new Set(targets.map(({ leaf }) => leaf)));
  return mapTree(by, isTensor, (leaf) => found.get(leaf) ?? broadcastTo(leaf.graph.scalar(0), leaf.shape)) as TreeLike<
    T,
    Tensor,
    Tensor
  >;
}

function backward(loss: Tensor, targets: ReadonlySet<Tensor>): Map<Tensor, Tensor> {
  const order = topologicalOrder([loss]);
  const depends = new Set<Tensor>();
  for (const tensor of order) {
    if (targets.has(tensor) || tensor.inputs.some((input) => depends.has(input))) depends.add(tensor);
  }
  const gradients = new Map<Tensor, Tensor>([[loss, broadcastTo(loss.graph.scalar(1), loss.shape)]]);
  for (const tensor of order.reverse()) {
    const dy = gradients.get(tensor);
    if (dy === undefined || !depends.has(tensor)) continue;
    const rule = gradientRules[tensor.primitive] as GradientRule<Primitive>;
    const toInputs = rule(tensor, dy);
    tensor.inputs.forEach((input, i) => {
      const contribution = toInputs[i];
      if (contribution === undefined || !depends.has(input)) return;
      const sum = gradients.get(input);
      gradients.set(input, sum === undefined ? contribution : add(sum, contribution));
    });
  }
  return gradients;
}
