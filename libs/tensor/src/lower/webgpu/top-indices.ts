/** Indices of extremes by comparisons: ONNX Runtime's WebGPU finds them in int64, of which it can make nothing. */
import { ints } from '../../nd-array.ts';
import type { Shape } from '../../shape.ts';
import { sizeOf } from '../../shape.ts';
import { elementType, type OnnxWriter } from '../onnx-writer.ts';

/** Comparisons of all elements of a line with all others, at most; beyond, one element after the other is taken. */
const mostComparisons = 1 << 22;

/** Index of the first largest (or smallest) element along an axis, which stays with size 1. */
export function extremeIndex(onnx: OnnxWriter, x: string, shape: Shape, axis: number, largest: boolean): string {
  const size = shape[axis]!;
  const extreme = onnx.op(largest ? 'ReduceMax' : 'ReduceMin', [x, onnx.int64s([axis])], {
    attributes: { keepdims: 1 },
  });
  const places = placesAlong(onnx, shape.length, axis, size);
  const found = onnx.op('Where', [onnx.op('Equal', [x, extreme]), places, int32(onnx, size)]);
  const first = onnx.op('ReduceMin', [found, onnx.int64s([axis])], { attributes: { keepdims: 1 } });
  // NaN equals nothing
  return onnx.op('Min', [first, int32(onnx, Math.max(0, size - 1))]);
}

/** Indices of the k largest (or smallest) elements along an axis, in their order; of equal ones the first leads. */
export function topIndices(
  onnx: OnnxWriter,
  x: string,
  { shape, dtype }: { readonly shape: Shape; readonly dtype: 'float32' | 'int32' },
  { axis, k, largest }: { readonly axis: number; readonly k: number; readonly largest: boolean },
): string {
  const size = shape[axis]!;
  if (sizeOf(shape) * size <= mostComparisons) return byRank(onnx, x, shape, axis, k, largest);
  const taken = dtype === 'float32' ? onnx.scalar(largest ? -Infinity : Infinity) : int32(onnx, extremeInt32(largest));
  const places = placesAlong(onnx, shape.length, axis, size);
  const found: string[] = [];
  for (let rest = x; found.length < k;) {
    const index = extremeIndex(onnx, rest, shape, axis, largest);
    found.push(index);
    rest = onnx.op('Where', [onnx.op('Equal', [places, index]), taken, rest]);
  }
  return onnx.op('Concat', found, { attributes: { axis } });
}

/** How many elements go before each is its place; the place says which index goes there. */
function byRank(onnx: OnnxWriter, x: string, shape: Shape, axis: number, k: number, largest: boolean): string {
  const size = shape[axis]!;
  // Two axes in place of one: [.., i, j, ..] compares element i with element j.
  const reshaped = (i: number, j: number): string =>
    onnx.op('Reshape', [x, onnx.int64s(shape.toSpliced(axis, 1, i, j))], { attributes: { allowzero: 1 } });
  const [own, other] = [reshaped(size, 1), reshaped(1, size)];
  const rank = shape.length + 1;
  const [i, j] = [placesAlong(onnx, rank, axis, size), placesAlong(onnx, rank, axis + 1, size)];
  const isAhead = largest ? onnx.op('Less', [own, other]) : onnx.op('Less', [other, own]);
  const isTied = onnx.op('And', [onnx.op('Equal', [own, other]), onnx.op('Less', [j, i])]);
  const goesBefore = onnx.op('Not', [onnx.op('And', [onnx.op('Not', [isAhead]), onnx.op('Not', [isTied])])]);
  const places = onnx.op('ReduceSum', [toInt32(onnx, goesBefore), onnx.int64s([axis + 1])], {
    attributes: { keepdims: 1 },
  });
  // [.., i, place, ..]: the index where the place is taken, else 0
  const takenPlaces = onnx.op('Equal', [places, placesAlong(onnx, rank, axis + 1, k)]);
  const indices = onnx.op('Mul', [toInt32(onnx, takenPlaces), i]);
  return onnx.op('ReduceSum', [indices, onnx.int64s([axis])], { attributes: { keepdims: 0 } });
}

/** 0 … size - 1 along one of `rank` axes. */
export function placesAlong(onnx: OnnxWriter, rank: number, axis: number, size: number): string {
  const shape = Array.from({ length: rank }, (_, i) => (i === axis ? size : 1));
  return onnx.sharedConstant(`places ${shape.join()}`, () =>
    ints(
      shape,
      Array.from({ length: size }, (_, i) => i),
    ),
  );
}

function int32(onnx: OnnxWriter, value: number): string {
  return onnx.sharedConstant(`int32 ${value}`, () => ints([], [value]));
}

function extremeInt32(largest: boolean): number {
  return largest ? -(2 ** 31) : 2 ** 31 - 1;
}

function toInt32(onnx: OnnxWriter, name: string): string {
  return onnx.op('Cast', [name], { attributes: { to: elementType.int32 } });
}
