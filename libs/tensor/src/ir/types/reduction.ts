import { invalidInput } from '@crucible/foundation';
import { formatShape } from '../../shape.ts';
import type { PrimitiveParams, ReductionParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectAxis, expectDtype, numeric, type TypeRules } from './rule.ts';

export const reductionTypes: TypeRules<keyof ReductionParams> = {
  sum: reduction,
  max: reduction,
  min: reduction,
  logSumExp: ([x], _params, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    return { shape: [...x!.shape.slice(0, -1), 1], dtype: 'float32' };
  },
  cumulativeSum: (inputs, params, primitive) => {
    expectAxis(params.axis, inputs[0]!, primitive);
    return numeric(inputs, params, primitive);
  },
  argMax: extremeIndex,
  argMin: extremeIndex,
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

function extremeIndex([x]: readonly TensorType[], { axis }: PrimitiveParams['argMax'], primitive: string): TensorType {
  expectDtype(x!, ['float32', 'int32'], primitive);
  expectAxis(axis, x!, primitive);
  if (x!.shape[axis] === 0) throw invalidInput(`${primitive}: axis ${axis} of ${formatShape(x!.shape)} is empty`);
  return { shape: x!.shape.toSpliced(axis, 1), dtype: 'int32' };
}
