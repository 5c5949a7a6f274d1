/**
 * Reverse-mode differentiation: one walk from the loss back to what it depends on (Griewank & Walther 2008, chapter 3),
 * one rule per primitive. The result is made of the same nodes as the program.
 */
import { invalidInput } from '@crucible/foundation';
import { topologicalOrder } from '../ir/graph.ts';
import type { ControlParams, OneResult } from '../ir/primitive.ts';
import { isPrimitive, isTensor, type Tensor } from '../ir/tensor.ts';
import { onesLike, zerosLike } from '../library/creation.ts';
import { add } from '../library/elementwise.ts';
import { formatShape, sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';
import { type ControlRule, type GradientRule, type GradientRules, noGradient } from './rule.ts';
import { controlGradients } from './rules/control.ts';
import { convolutionGradients } from './rules/convolution.ts';
import { elementwiseGradients } from './rules/elementwise.ts';
import { fusedGradients } from './rules/fused.ts';
import { indexingGradients } from './rules/indexing.ts';
import { linalgGradients } from './rules/linalg.ts';
import { movementGradients } from './rules/movement.ts';
import { reductionGradients } from './rules/reduction.ts';

const gradientRules: GradientRules<OneResult> = {
  input: noGradient,
  constant: noGradient,
  range: noGradient,
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
  return pullback(loss, onesLike(loss), by);
}

/** `valueAndGradient(loss, weights)` is `{ value: loss(weights), gradient: gradient(value, weights) }`. */
export function valueAndGradient<T>(
  loss: (inputs: T) => Tensor,
  inputs: T,
): { value: Tensor; gradient: TreeLike<T, Tensor, Tensor> } {
  const value = loss(inputs);
  return { value, gradient: gradient(value, inputs) };
}

/**
 * The gradients by every tensor in the tree `by` of Σ y dy: `dy`, of the shape of `y`, says how much each element of y
 * counts. The transposed Jacobian times a vector.
 */
export function pullback<T>(y: Tensor, dy: Tensor, by: T): TreeLike<T, Tensor, Tensor> {
  const targets = flatten(by, isTensor);
  for (const { path, leaf } of targets) {
    if (leaf.dtype !== 'float32') throw invalidInput(`gradient: ${path} is ${leaf.dtype}; only float32 has gradients`);
  }
  const found = backward(
    [y],
    [dy],
    targets.map(({ leaf }) => leaf),
  );
  let next = 0;
  return mapTree(by, isTensor, (leaf) => found[next++] ?? zerosLike(leaf)) as TreeLike<T, Tensor, Tensor>;
}

function backward(
  outputs: readonly Tensor[],
  dys: readonly (Tensor | undefined)[],
  targets: readonly Tensor[],
): (Tensor | undefined)[] {
  const order = topologicalOrder(outputs);
  const depends = new Set<Tensor>(targets);
  for (const tensor of order) if (tensor.inputs.some((input) => depends.has(input))) depends.add(tensor);

  const gradients = new Map<Tensor, Tensor>();
  const ofParts = new Map<Tensor, (Tensor | undefined)[]>();
  const contribute = (tensor: Tensor, dy: Tensor | undefined): void => {
    if (dy === undefined || !depends.has(tensor)) return;
    const sum = gradients.get(tensor);
    gradients.set(tensor, sum === undefined ? dy : add(sum, dy));
  };
  outputs.forEach((output, i) => contribute(output, dys[i]));
  for (const tensor of order.reverse()) {
    if (!depends.has(tensor)) continue;
    if (tensor.parts) {
      const ofResults = ofParts.get(tensor);
      if (ofResults === undefined) continue;
      const rule = controlGradients[tensor.primitive as keyof ControlParams] as ControlRule<keyof ControlParams>;
      const wanted = tensor.inputs.map((input) => depends.has(input));
      const toInputs = rule(tensor as Tensor<keyof ControlParams>, ofResults, { wanted, pullback: backward });
      tensor.inputs.forEach((input, i) => contribute(input, toInputs[i]));
      continue;
    }
    const dy = gradients.get(tensor);
    if (dy === undefined) continue;
    if (isPrimitive(tensor, 'part')) {
      const [several] = tensor.inputs as [Tensor];
      const ofResults = ofParts.get(several) ?? several.parts!.map(() => undefined);
      ofResults[tensor.params.index] = dy;
      ofParts.set(several, ofResults);
      continue;
    }
    const rule = gradientRules[tensor.primitive as OneResult] as GradientRule<OneResult>;
    const toInputs = rule(tensor as Tensor<OneResult>, dy);
    tensor.inputs.forEach((input, i) => contribute(input, toInputs[i]));
  }
  return targets.map((target) => gradients.get(target));
}
