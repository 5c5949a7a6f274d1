import type { LinalgParams, PrimitiveParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import { type AttributeValue, FloatAttribute, microsoft } from '../onnx-writer.ts';
import type { OnnxRules } from './rule.ts';

/** Elements of a product beyond which its bias is added by a pass of its own. */
const largestGemmBias = 1 << 16;

export const linalgOnnx: OnnxRules<keyof LinalgParams> = {
  matmul: (onnx, tensor, inputs) => {
    const isMatrix = tensor.inputs.every((input) => input.rank === 2);
    const attributes = productAttributes(tensor.params);
    return isMatrix
      ? onnx.op('Gemm', inputs, { attributes })
      : onnx.op('FusedMatMul', inputs, { domain: microsoft, attributes });
  },
  matmulAdd: (onnx, { params, shape }, [a, b, c]) => {
    const attributes = productAttributes(params);
    // Gemm spreads a bias over its result with one thread before it begins
    if (sizeOf(shape) <= largestGemmBias) return onnx.op('Gemm', [a!, b!, c!], { attributes });
    return onnx.op('Add', [onnx.op('Gemm', [a!, b!], { attributes }), c!]);
  },
};

function productAttributes({
  transposeA,
  transposeB,
  alpha,
}: PrimitiveParams['matmul']): Record<string, AttributeValue> {
  return { transA: Number(transposeA), transB: Number(transposeB), alpha: new FloatAttribute(alpha) };
}
