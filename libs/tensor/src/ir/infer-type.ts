/** Shape and dtype of every primitive's result, and what it demands of its inputs. */
import type { Primitive, PrimitiveParams } from './primitive.ts';
import type { TensorType } from './tensor.ts';
import { controlTypes } from './types/control.ts';
import { convolutionTypes } from './types/convolution.ts';
import { elementwiseTypes } from './types/elementwise.ts';
import { fusedTypes } from './types/fused.ts';
import { indexingTypes } from './types/indexing.ts';
import { leafTypes } from './types/leaf.ts';
import { linalgTypes } from './types/linalg.ts';
import { movementTypes } from './types/movement.ts';
import { reductionTypes } from './types/reduction.ts';
import type { TypeRules } from './types/rule.ts';

const typeRules: TypeRules<Primitive> = {
  ...leafTypes,
  ...elementwiseTypes,
  ...reductionTypes,
  ...linalgTypes,
  ...movementTypes,
  ...indexingTypes,
  ...convolutionTypes,
  ...controlTypes,
  ...fusedTypes,
};

export function inferType<P extends Primitive>(
  primitive: P,
  inputs: readonly TensorType[],
  params: PrimitiveParams[P],
): TensorType {
  return typeRules[primitive](inputs, params, primitive);
}
