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
  tanh: float,
  erf: float,
  sigmoid: float,
  silu: float,
  gelu: float,
  not: ([x], _params, primitive) => expectDtype(x!, ['bool'], primitive),
  cast: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  stopGradient: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),

  add: arithmetic,
  sub: arithmetic,
  mul: arithmetic,
  div: arithmetic,
  pow: arithmetic,
  maximum: arithmetic,
  minimum: arithmetic,
  equal: comparison,
  less: ordering,
  lessOrEqual: ordering,
  and: logical,
  or: logical,

  where: ([condition, a, b], _params, primitive) => {
    expectDtype(condition!, ['bool'], primitive);
    expectDtype(a!, ['float32', 'int32'], primitive);
    const shape = broadcastShapes(a!.shape, b!.shape, primitive);
    return { shape: broadcastShapes(condition!.shape, shape, primitive), dtype: sameDtype(a!, b!, primitive) };
  },
};

function arithmetic([a, b]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  expectDtype(a!, ['float32', 'int32'], primitive);
  return { shape: broadcastShapes(a!.shape, b!.shape, primitive), dtype: sameDtype(a!, b!, primitive) };
}

function comparison([a, b]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  sameDtype(a!, b!, primitive);
  return { shape: broadcastShapes(a!.shape, b!.shape, primitive), dtype: 'bool' };
}

function ordering(inputs: readonly TensorType[], params: unknown, primitive: string): TensorType {
  expectDtype(inputs[0]!, ['float32', 'int32'], primitive);
  return comparison(inputs, params, primitive);
}

function logical([a, b]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  expectDtype(a!, ['bool'], primitive);
  expectDtype(b!, ['bool'], primitive);
  return { shape: broadcastShapes(a!.shape, b!.shape, primitive), dtype: 'bool' };
}
