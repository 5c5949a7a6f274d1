import { invalidInput } from '@crucible/foundation';
import { createHostArray, type HostType, type HostArrays } from './dtype.ts';
import { formatShape, type Shape, sizeOf } from './shape.ts';

/** A concrete tensor in host memory, row-major. What programs take and give. */
export interface NdArray<D extends HostType = HostType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: HostArrays[D];
}

/** Whether a value is a concrete array: the leaves of trees that programs take and give. */
export function isNdArray(value: unknown): value is NdArray {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value && 'data' in value;
}

export type FloatArray = NdArray<'float32'>;
export type IntArray = NdArray<'int32'>;

export function ndArray<D extends HostType>(dtype: D, shape: Shape, data: HostArrays[D]): NdArray<D> {
  if (data.length !== sizeOf(shape)) {
    throw invalidInput(`array: ${data.length} elements do not fill the shape ${formatShape(shape)}`);
  }
  return { dtype, shape, data };
}

export function floats(shape: Shape, data: ArrayLike<number>): FloatArray {
  return ndArray('float32', shape, data instanceof Float32Array ? data : Float32Array.from(data));
}

export function ints(shape: Shape, data: ArrayLike<number>): IntArray {
  return ndArray('int32', shape, data instanceof Int32Array ? data : Int32Array.from(data));
}

export function scalar(value: number): FloatArray {
  return floats([], [value]);
}

export function zerosArray<D extends HostType>(dtype: D, shape: Shape): NdArray<D> {
  return { dtype, shape, data: createHostArray(dtype, sizeOf(shape)) };
}

/** The only element of a tensor of one element. */
export function itemOf(array: NdArray): number {
  if (array.data.length !== 1) {
    throw invalidInput(`item: a tensor of shape ${formatShape(array.shape)} has not exactly one element`);
  }
  return array.data[0]!;
}

export function copyArray<D extends HostType>(array: NdArray<D>): NdArray<D> {
  return { ...array, data: array.data.slice() as HostArrays[D] };
}
