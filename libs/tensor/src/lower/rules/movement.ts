import type { MovementParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import type { OnnxRules } from './rule.ts';

/** Zeros that a pad holds as constants, at most. */
const largestZeros = 1 << 13;

export const movementOnnx: OnnxRules<keyof MovementParams> = {
  reshape: (onnx, { params }, [x]) =>
    onnx.op('Reshape', [x!, onnx.int64s(params.shape)], { attributes: { allowzero: 1 } }),
  transpose: (onnx, { params }, inputs) => onnx.op('Transpose', inputs, { attributes: { perm: params.permutation } }),
  broadcast: (onnx, { params }, [x]) => onnx.op('Expand', [x!, onnx.int64s(params.shape)]),
  concat: (onnx, { params }, inputs) => onnx.op('Concat', inputs, { attributes: { axis: params.axis } }),
  slice: (onnx, { params: { starts, ends, steps }, inputs: [x] }, [name]) => {
    const axes = starts.flatMap((start, axis) =>
      start !== 0 || ends[axis] !== x!.shape[axis] || (steps?.[axis] ?? 1) !== 1 ? [axis] : [],
    );
    const of = (list: readonly number[]): string => onnx.int64s(axes.map((axis) => list[axis]!));
    return onnx.op('Slice', [name!, of(starts), of(ends), onnx.int64s(axes), ...(steps ? [of(steps)] : [])]);
  },
  flip: (onnx, { params: { axes } }, [x]) => {
    const all = (value: number): string => onnx.int64s(axes.map(() => value));
    // From the last element down to beyond the first: any end that is far enough below 0
    return onnx.op('Slice', [x!, all(-1), all(-(2 ** 31)), onnx.int64s(axes), all(-1)]);
  },
  pad: (onnx, { params, dtype, shape }, [x, value]) => {
    const { before, after } = params;
    const padded = shape.flatMap((_size, axis) => (before[axis]! > 0 || after[axis]! > 0 ? [axis] : []));
    const zeros = (axis: number, count: number): string[] => {
      const size = sizeOf(shape.with(axis, count));
      if (size === 0) return [];
      return [onnx.constant({ dtype: 'float32', shape: shape.with(axis, count), data: new Float32Array(size) })];
    };
    // Pad goes element by element; a few zeros beside a tensor are joined to it in long copies.
    const [axis] = padded as [number];
    const isNarrow = padded.length === 1 && sizeOf(shape.with(axis, before[axis]! + after[axis]!)) <= largestZeros;
    if (value !== undefined || dtype !== 'float32' || !isNarrow) {
      return onnx.op('Pad', [x!, onnx.int64s([...before, ...after]), ...(value === undefined ? [] : [value])]);
    }
    return onnx.op('Concat', [...zeros(axis, before[axis]!), x!, ...zeros(axis, after[axis]!)], {
      attributes: { axis },
    });
  },
};
