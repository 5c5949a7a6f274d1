/** What the rules of the reference share: reading, broadcasting and walking over arrays. */
import { type Shape, shapesEqual, sizeOf, stridesOf } from '../../shape.ts';
import type { Primitive, PrimitiveParams } from '../../ir/primitive.ts';
import type { DType, HostArray } from '../../dtype.ts';

/** Like NdArray, but float32 tensors may be held in float64. */
export interface ReferenceArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: HostArray | Float64Array;
}

/** Writes one primitive's result for its inputs. */
type ReferenceRule<P extends Primitive> = (
  result: ReferenceArray,
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
) => void;

export type ReferenceRules<P extends Primitive> = { readonly [Q in P]: ReferenceRule<Q> };

/** Reads element i of `x` as if it had been broadcast to `shape`. */
export function broadcastReader(x: ReferenceArray, shape: Shape): (i: number) => number {
  if (shapesEqual(x.shape, shape)) return (i) => x.data[i]!;
  if (x.data.length === 1) return () => x.data[0]!;
  const lead = shape.length - x.shape.length;
  const strides = stridesOf(x.shape);
  const outer = stridesOf(shape);
  return (i) => {
    let at = 0;
    for (let axis = lead; axis < shape.length; axis++) {
      if (x.shape[axis - lead] !== 1) at += (Math.floor(i / outer[axis]!) % shape[axis]!) * strides[axis - lead]!;
    }
    return x.data[at]!;
  };
}

export function forEachIndex(shape: Shape, visit: (index: readonly number[], i: number) => void): void {
  const strides = stridesOf(shape);
  for (let i = 0; i < sizeOf(shape); i++) {
    visit(
      shape.map((size, axis) => Math.floor(i / strides[axis]!) % size),
      i,
    );
  }
}

export function rows(x: ReferenceArray, visit: (row: Float64Array, r: number) => void): void {
  const size = lastSize(x);
  for (let r = 0; r < x.data.length / size; r++) visit(Float64Array.from(x.data.subarray(r * size, (r + 1) * size)), r);
}

export function lastSize(x: ReferenceArray): number {
  return x.shape.at(-1)!;
}

export function logSumExpOf(row: Float64Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** Visits the lines along an axis: `at` gives the place of a line's element i. */
export function lines(shape: Shape, axis: number, visit: (at: (i: number) => number, line: number) => void): void {
  const inner = sizeOf(shape.slice(axis + 1));
  const size = shape[axis]!;
  const count = size === 0 ? 0 : sizeOf(shape) / size;
  for (let line = 0; line < count; line++) {
    const start = Math.floor(line / inner) * size * inner + (line % inner);
    visit((i) => start + i * inner, line);
  }
}
