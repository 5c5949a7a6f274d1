/**
 * Halves on the CPU, whose kernels for products have none: a half is a float32 that was rounded to one, so that numbers
 * are those of a device with halves but for sums, which are in float32. For tests and for trying a policy out: it is no
 * faster.
 */
import { isHalf } from '../dtype.ts';
import type { OneResult } from '../ir/primitive.ts';
import { elementType, type OnnxWriter } from './onnx-writer.ts';
import { elementwiseOnnx } from './rules/elementwise.ts';
import { linalgOnnx } from './rules/linalg.ts';
import type { OnnxRule, OnnxRules } from './rules/rule.ts';

export const halvesByCasts: Partial<OnnxRules<OneResult>> = {
  cast: (onnx, tensor, inputs) => {
    const [x] = tensor.inputs;
    if (isHalf(tensor.dtype)) return rounded(onnx, inputs[0]!, tensor.dtype);
    return isHalf(x!.dtype) && tensor.dtype === 'float32' ? inputs[0]! : elementwiseOnnx.cast(onnx, tensor, inputs);
  },
  matmul: withRounding(linalgOnnx.matmul),
  matmulAdd: withRounding(linalgOnnx.matmulAdd),
};

function withRounding<P extends OneResult>(rule: OnnxRule<P>): OnnxRule<P> {
  return (onnx, tensor, inputs) => {
    const result = rule(onnx, tensor, inputs);
    return isHalf(tensor.dtype) ? rounded(onnx, result, tensor.dtype) : result;
  };
}

function rounded(onnx: OnnxWriter, x: string, half: 'float16' | 'bfloat16'): string {
  const halved = onnx.op('Cast', [x], { attributes: { to: elementType[half] } });
  return onnx.op('Cast', [halved], { attributes: { to: elementType.float32 } });
}
