import type { LeafParams } from '../../ir/primitive.ts';
import { ints } from '../../nd-array.ts';
import { elementType } from '../onnx-writer.ts';
import type { OnnxRules } from './rule.ts';

export const leafOnnx: OnnxRules<Exclude<keyof LeafParams, 'part'>> = {
  input: (_onnx, tensor) => {
    throw new Error(`internal: input ${tensor.params.name} is not declared`);
  },
  constant: (onnx, { params }) => onnx.constant(params.value),
  // The operator has no uint32
  range: (onnx, { params: { length, dtype } }) => {
    const scalar = (value: number): string => onnx.constant(ints([], [value]));
    const numbers = onnx.op('Range', [scalar(0), scalar(length), scalar(1)]);
    return dtype === 'int32' ? numbers : onnx.op('Cast', [numbers], { attributes: { to: elementType[dtype] } });
  },
};
