import { invalidInput } from '@crucible/foundation';
import type { DType } from '../../dtype.ts';
import { formatShape, type Shape, shapesEqual } from '../../shape.ts';
import type { Primitive, PrimitiveParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';

/** The type of one primitive's result; what it demands of its inputs is checked here. */
type TypeRule<P extends Primitive> = (
  inputs: readonly TensorType[],
  params: PrimitiveParams[P],
  primitive: P,
) => TensorType;

export type TypeRules<P extends Primitive> = { readonly [Q in P]: TypeRule<Q> };

export function expectDtype(type: TensorType, allowed: readonly DType[], what: string): TensorType {
  if (!allowed.includes(type.dtype)) {
    throw invalidInput(`${what}: takes ${allowed.join(' or ')}, not ${type.dtype}${formatShape(type.shape)}`);
  }
  return type;
}

export function sameDtype(a: TensorType, b: TensorType, what: string): DType {
  if (a.dtype !== b.dtype) throw invalidInput(`${what}: ${a.dtype} and ${b.dtype} do not mix; cast one of them`);
  return a.dtype;
}

export function expectShape(type: TensorType, shape: Shape, what: string): void {
  if (!shapesEqual(type.shape, shape)) {
    throw invalidInput(`${what}: shape ${formatShape(type.shape)}, expected ${formatShape(shape)}`);
  }
}

export function numeric([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return expectDtype(x!, ['float32', 'int32'], primitive);
}

export function float([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return expectDtype(x!, ['float32'], primitive);
}

export function expectAxis(axis: number, { shape }: TensorType, what: string): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw invalidInput(`${what}: axis ${axis} is outside a tensor of shape ${formatShape(shape)}`);
  }
}
