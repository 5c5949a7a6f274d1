import type { LeafParams } from '../../ir/primitive.ts';
import type { OnnxRules } from './rule.ts';

export const leafOnnx: OnnxRules<Exclude<keyof LeafParams, 'part'>> = {
  input: (_onnx, tensor) => {
    throw new Error(`internal: input ${tensor.params.name} is not declared`);
  },
  constant: (onnx, { params }) => onnx.constant(params.value),
};
