import type { LinalgParams, PrimitiveParams } from '../../ir/primitive.ts';
import { blocksOf, quantizedBlock } from '../../quantized-matrix.ts';
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
  matmulQuantized: (onnx, { params: { weight, precision } }, [x]) => {
    const { bits, rows, columns, packed, scales, zeros } = weight;
    const blocks = blocksOf(columns);
    const matrix = onnx.bytes([rows, blocks, (quantizedBlock * bits) / 8], packed);
    const scale = onnx.constant({ dtype: 'float32', shape: [rows, blocks], data: scales });
    const zero = bits === 8 ? zeros : halves(zeros, rows, blocks);
    return onnx.op('MatMulNBits', [x!, matrix, scale, onnx.bytes([rows, zero.length / rows], zero)], {
      domain: microsoft,
      attributes: {
        K: columns,
        N: rows,
        bits,
        block_size: quantizedBlock,
        accuracy_level: precision === 'int8' ? 4 : 1,
      },
    });
  },
};

/** Two numbers of four bits in a byte, the first in its lower half; rows begin a new one. */
function halves(values: Uint8Array, rows: number, columns: number): Uint8Array {
  const width = Math.ceil(columns / 2);
  const packed = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < columns; i++) packed[row * width + (i >> 1)]! |= values[row * columns + i]! << (4 * (i % 2));
  return packed;
}

function productAttributes({
  transposeA,
  transposeB,
  alpha,
}: PrimitiveParams['matmul']): Record<string, AttributeValue> {
  return { transA: Number(transposeA), transB: Number(transposeB), alpha: new FloatAttribute(alpha) };
}
