/**
 * Where CUDA differs: what ONNX Runtime has no kernel for there, or a wrong one, is composed of what it has. Its sums and
 * extremes of int32 go through float32: they are exact up to 2²⁴.
 */
import type { OneResult } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type Shape, sizeOf } from '../../shape.ts';
import { bitwise } from '../composed/bitwise-arithmetic.ts';
import { hyperbolic } from '../composed/hyperbolic.ts';
import { inverseCircular } from '../composed/inverse-circular.ts';
import { type ExtremeAlong, indexOfExtreme } from '../composed/top-indices.ts';
import { elementType, type OnnxWriter } from '../onnx-writer.ts';
import { extentOfWindows, layWindows } from '../rules/convolution.ts';
import { indexingOnnx } from '../rules/indexing.ts';
import { linalgOnnx } from '../rules/linalg.ts';
import { movementOnnx } from '../rules/movement.ts';
import { reductionOnnx } from '../rules/reduction.ts';
import type { OnnxRule, OnnxRules } from '../rules/rule.ts';

export const cudaOnnx: Partial<OnnxRules<OneResult>> = {
  tan: (onnx, _tensor, [x]) => onnx.op('Div', [onnx.op('Sin', [x!]), onnx.op('Cos', [x!])]),
  ...inverseCircular,
  ...hyperbolic,
  ...bitwise,

  argMax: ofIntegers(indexOfExtreme(exactExtreme(true)), reductionOnnx.argMax),
  argMin: ofIntegers(indexOfExtreme(exactExtreme(false)), reductionOnnx.argMin),

  // Batches of as many matrices are taken for the same ones: 2 × 1 with 1 × 2 as two products in place of four.
  matmul: (onnx, tensor, [a, b]) => {
    const [left, right] = tensor.inputs as [Tensor, Tensor];
    const batch = tensor.shape.slice(0, -2);
    const [lefts, rights] = [batchSize(left), batchSize(right)];
    if (lefts !== rights || lefts === sizeOf(batch)) return linalgOnnx.matmul(onnx, tensor, [a!, b!]);
    const spread = (name: string, { shape }: Tensor): string =>
      onnx.sharedOp('Expand', [name, onnx.int64s([...batch, ...shape.slice(-2)])]);
    return linalgOnnx.matmul(onnx, tensor, [spread(a!, left), spread(b!, right)]);
  },

  pad: (onnx, tensor, inputs) =>
    ['int32', 'uint32', 'bfloat16'].includes(tensor.dtype)
      ? padByParts(onnx, tensor, inputs)
      : movementOnnx.pad(onnx, tensor, inputs),

  scatterAdd: ofIntegers((onnx, { shape, inputs: [, ids] }, [base, indices, updates]) => {
    const [rows, width] = [sizeOf(ids!.shape), sizeOf(shape.slice(1))];
    const places = onnx.op('Expand', [reshape(onnx, indices!, [rows, 1]), onnx.int64s([rows, width])]);
    const parts = [reshape(onnx, base!, [shape[0]!, width]), places, reshape(onnx, updates!, [rows, width])];
    const sums = onnx.op('ScatterElements', parts, { attributes: { axis: 0, reduction: 'add' } });
    return reshape(onnx, sums, shape);
  }, indexingOnnx.scatterAdd),

  // Padding must be the same on both sides: the windows are laid without any, and the result is cut out.
  convTranspose: (onnx, { params, inputs: [y, weight] }, inputs) => {
    const { before, after, size } = params;
    const operands = [y!, weight!] as const;
    if (before.every((count, i) => count === after[i])) return layWindows(onnx, params, operands, inputs);
    const none = before.map(() => 0);
    const ends = size.map((count, i) => before[i]! + count);
    const whole = extentOfWindows(params, operands).map((extent, i) => Math.max(extent, ends[i]!));
    const laid = layWindows(onnx, { ...params, before: none, after: none, size: whole }, operands, inputs);
    return onnx.op('Slice', [
      laid,
      onnx.int64s(before),
      onnx.int64s(ends),
      onnx.int64s(size.map((_count, i) => i + 2)),
    ]);
  },
};

/** Another rule for int32. */
function ofIntegers<P extends OneResult>(rule: OnnxRule<P>, otherwise: OnnxRule<P>): OnnxRule<P> {
  return (onnx, tensor, inputs) => (tensor.inputs[0]!.dtype === 'int32' ? rule : otherwise)(onnx, tensor, inputs);
}

/** By TopK, which does not round. */
function exactExtreme(largest: boolean): ExtremeAlong {
  return (onnx, x, axis) =>
    onnx.node('TopK', [x, onnx.int64s([1])], { attributes: { axis, largest: Number(largest) }, outputs: 2 })[0]!;
}

/** Joins pieces of one value to a tensor, axis by axis. */
function padByParts(
  onnx: OnnxWriter,
  { params: { before, after }, inputs: [x], shape, dtype }: Tensor<'pad'>,
  [name, given]: readonly string[],
): string {
  const value = given ?? onnx.sharedOp('Cast', [onnx.scalar(0)], { attributes: { to: elementType[dtype] } });
  let reached = x!.shape;
  return shape.reduce((padded, size, axis) => {
    const piece = (count: number): string[] =>
      count === 0 ? [] : [onnx.op('Expand', [value, onnx.int64s(reached.with(axis, count))])];
    const pieces = [...piece(before[axis]!), padded, ...piece(after[axis]!)];
    reached = reached.with(axis, size);
    return pieces.length === 1 ? padded : onnx.op('Concat', pieces, { attributes: { axis } });
  }, name!);
}

function batchSize({ shape }: Tensor): number {
  return sizeOf(shape.slice(0, -2));
}

function reshape(onnx: OnnxWriter, x: string, shape: Shape): string {
  return onnx.op('Reshape', [x, onnx.int64s(shape)], { attributes: { allowzero: 1 } });
}
