import type { DType } from '../../dtype.ts';
import { broadcastShapes } from '../../shape.ts';
import type { ElementwiseParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, float, numeric, sameDtype, type TypeRules } from './rule.ts';

export const elementwiseTypes: TypeRules<keyof ElementwiseParams> = {
  neg: numeric,
  abs: numeric,
  sign: numeric,
  exp: float,
  log: float,
  sqrt: float,
  reciprocal: float,
  sin: float,
  cos: float,
  tan: float,
  asin: float,
  acos: float,
  atan: float,
  sinh: float,
  cosh: float,
  tanh: float,
  asinh: float,
  acosh: float,
  atanh: float,
  log1p: float,
  expm1: float,
  erf: float,
  sigmoid: float,
  silu: float,
  gelu: float,
  geluTanh: float,
  relu: float,
  softplus: float,
  floor: float,
  ceil: float,
  round: float,
  not: ([x], _params, primitive) => expectDtype(x!, ['bool'], primitive),
  cast: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  stopGradient: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  barrier: ([x, token], _params, primitive) => {
    expectDtype(token!, ['float32'], primitive);
    if (token!.shape.includes(0)) throw new Error('internal: barrier: the token is empty');
    return expectDtype(x!, ['float32'], primitive);
  },

  add: arithmetic,
  sub: arithmetic,
  mul: arithmetic,
  div: arithmetic,
  rem: arithmetic,
  pow: signed,
  maximum: arithmetic,
  minimum: arithmetic,
  equal: comparison,
  less: ordering,
  lessOrEqual: ordering,
  and: logical,
  or: logical,
  bitAnd: bitwise,
  bitOr: bitwise,
  bitXor: bitwise,
  shiftLeft: bitwise,
  shiftRight: bitwise,

  where: ([condition, a, b], _params, primitive) => {
    expectDtype(condition!, ['bool'], primitive);
    expectDtype(a!, ['float32', 'int32'], primitive);
    const shape = broadcastShapes(a!.shape, b!.shape, primitive);
    return { shape: broadcastShapes(condition!.shape, shape, primitive), dtype: sameDtype(a!, b!, primitive) };
  },
};

const numbers = ['float32', 'int32', 'uint32'] as const;

function arithmetic(inputs: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return operands(numbers, inputs, primitive);
}

function signed(inputs: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return operands(['float32', 'int32'], inputs, primitive);
}

function operands(allowed: readonly DType[], [a, b]: readonly TensorType[], primitive: string): TensorType {
  expectDtype(a!, allowed, primitive);
  return { shape: broadcastShapes(a!.shape, b!.shape, primitive), dtype: sameDtype(a!, b!, primitive) };
}

function comparison([a, b]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  sameDtype(a!, b!, primitive);
  return { shape: broadcastShapes(a!.shape, b!.shape, primitive), dtype: 'bool' };
}

function ordering(inputs: readonly TensorType[], params: unknown, primitive: string): TensorType {
  expectDtype(inputs[0]!, numbers, primitive);
  return comparison(inputs, params, primitive);
}

function logical(inputs: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return operands(['bool'], inputs, primitive);
}

function bitwise(inputs: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return operands(['uint32'], inputs, primitive);
}
