/**
 * Every primitive in plain loops, one element at a time: the independent reference that tests compare with, and what
 * folds small constants at compile time. Slow by intention; intermediate sums are in float64.
 */
import { createHostArray, type DType, type HostArray, isHalf, roundToHalf } from '../dtype.ts';
import type { Program } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/graph.ts';
import type { ControlParams, OneResult, PrimitiveParams } from '../ir/primitive.ts';
import { isPrimitive, type Tensor, type TensorType } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';
import { controlReference, type SeveralRule } from './rules/control.ts';
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

const referenceRules: ReferenceRules<OneResult> = {
  ...leafReference,
  ...elementwiseReference,
  ...reductionReference,
  ...linalgReference,
  ...movementReference,
  ...indexingReference,
  ...convolutionReference,
  ...fusedReference,
};

/** Runs a program with every float in float64, or rounded to float32 after each node; `feeds` by input name. */
export function evaluate(
  program: Program,
  feeds: Readonly<Record<string, ReferenceArray>>,
  { precision = 'float64' }: { readonly precision?: 'float32' | 'float64' } = {},
): ReferenceArray[] {
  const inputs = program.inputs.map(({ params: { name } }) => {
    const fed = feeds[name];
    if (!fed) throw new Error(`internal: evaluate: ${name} is not fed`);
    return fed;
  });
  return run(program, inputs, (type, length) =>
    type === 'float32' && precision === 'float64' ? new Float64Array(length) : createHostArray(type, length),
  );
}

type MakeArray = (dtype: DType, length: number) => HostArray | Float64Array;

function run(program: Program, inputs: readonly ReferenceArray[], make: MakeArray): ReferenceArray[] {
  const running = { make, run: (within: Program, arrays: readonly ReferenceArray[]) => run(within, arrays, make) };
  const values = new Map<Tensor, ReferenceArray>();
  const several = new Map<Tensor, readonly ReferenceArray[]>();
  program.inputs.forEach((input, i) => values.set(input, inputs[i]!));
  for (const tensor of topologicalOrder(program.outputs)) {
    if (values.has(tensor)) continue;
    const given = tensor.inputs.map((input) => values.get(input)!);
    if (isPrimitive(tensor, 'part')) {
      values.set(tensor, several.get(tensor.inputs[0]!)![tensor.params.index]!);
    } else if (tensor.parts) {
      const rule = controlReference[tensor.primitive as keyof ControlParams] as SeveralRule<keyof ControlParams>;
      several.set(tensor, rule(given, tensor.params as never, running));
    } else {
      const data = make(tensor.dtype, sizeOf(tensor.shape));
      values.set(tensor, evaluatePrimitive(tensor.primitive as OneResult, given, tensor.params as never, tensor, data));
    }
  }
  return program.outputs.map((output) => values.get(output)!);
}

/** Applies one primitive, writing into `data` (by default an array of the result's dtype). */
export function evaluatePrimitive<P extends OneResult>(
  primitive: P,
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
  type: TensorType,
  data: HostArray | Float64Array = createHostArray(type.dtype, sizeOf(type.shape)),
): ReferenceArray {
  const result: ReferenceArray = { dtype: type.dtype, shape: type.shape, data };
  referenceRules[primitive](result, inputs, params);
  const { dtype } = type;
  if (isHalf(dtype)) data.forEach((value, i) => (data[i] = roundToHalf(value, dtype)));
  return result;
}
