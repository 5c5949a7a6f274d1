/**
 * Every primitive in plain loops, one element at a time: the independent reference that tests compare with, and what
 * folds small constants at compile time. Slow by intention; intermediate sums are in float64.
 */
import { createHostArray, type HostArray } from '../dtype.ts';
import type { Program } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/graph.ts';
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import { isPrimitive, type Tensor, type TensorType } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';
import { convolutionReference } from './rules/convolution.ts';
import { elementwiseReference } from './rules/elementwise.ts';
import { fusedReference } from './rules/fused.ts';
import { indexingReference } from './rules/indexing.ts';
import { leafReference } from './rules/leaf.ts';
import { linalgReference } from './rules/linalg.ts';
import { movementReference } from './rules/movement.ts';
import { reductionReference } from './rules/reduction.ts';
import type { ReferenceArray, ReferenceRules } from './rules/rule.ts';

export type { ReferenceArray } from './rules/rule.ts';

const referenceRules: ReferenceRules<Primitive> = {
  ...leafReference,
  ...elementwiseReference,
  ...reductionReference,
  ...linalgReference,
  ...movementReference,
  ...indexingReference,
  ...convolutionReference,
  ...fusedReference,
};

/** Runs a program with every float in float64; `feeds` by input name. */
export function evaluate(program: Program, feeds: Readonly<Record<string, ReferenceArray>>): ReferenceArray[] {
  const values = new Map<Tensor, ReferenceArray>();
  for (const tensor of topologicalOrder(program.outputs)) {
    if (isPrimitive(tensor, 'input')) {
      const fed = feeds[tensor.params.name];
      if (!fed) throw new Error(`internal: evaluate: ${tensor.params.name} is not fed`);
      values.set(tensor, fed);
    } else {
      const inputs = tensor.inputs.map((input) => values.get(input)!);
      const data = tensor.dtype === 'float32' ? new Float64Array(sizeOf(tensor.shape)) : undefined;
      values.set(tensor, evaluatePrimitive(tensor.primitive, inputs, tensor.params, tensor, data));
    }
  }
  return program.outputs.map((output) => values.get(output)!);
}

/** Applies one primitive, writing into `data` (by default an array of the result's dtype). */
export function evaluatePrimitive<P extends Primitive>(
  primitive: P,
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
  type: TensorType,
  data: HostArray | Float64Array = createHostArray(type.dtype, sizeOf(type.shape)),
): ReferenceArray {
  const result: ReferenceArray = { dtype: type.dtype, shape: type.shape, data };
  referenceRules[primitive](result, inputs, params);
  return result;
}
