import { invalidInput } from '@crucible/foundation';
import { formatShape } from '../../shape.ts';
import type { PrimitiveParams, ReductionParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, numeric, type TypeRules } from './rule.ts';

export const reductionTypes: TypeRules<keyof ReductionParams> = {
  sum: reduction,
  max: reduction,
  logSumExp: ([x], _params, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    return { shape: [...x!.shape.slice(0, -1), 1], dtype: 'float32' };
  },
  cumulativeSum: numeric,
  argMax: ([x], _params, primitive) => {
    expectDtype(x!, ['float32', 'int32'], primitive);
    return { shape: x!.shape.slice(0, -1), dtype: 'int32' };
  },
};

function reduction([x]: readonly TensorType[], params: PrimitiveParams['sum'], primitive: string): TensorType {
  expectDtype(x!, ['float32', 'int32'], primitive);
  const { axes, keepDims } = params;
  if (!axes.every((axis) => axis >= 0 && axis < x!.shape.length) || new Set(axes).size !== axes.length) {
    throw invalidInput(`${primitive}: axes ${formatShape(axes)} do not fit ${formatShape(x!.shape)}`);
  }
  const shape = keepDims
    ? x!.shape.map((size, i) => (axes.includes(i) ? 1 : size))
    : x!.shape.filter((_size, i) => !axes.includes(i));
  return { shape, dtype: x!.dtype };
}
