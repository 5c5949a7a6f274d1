import { invalidInput } from '@crucible/foundation';
import { formatShape, shapesEqual } from '../../shape.ts';
import type { IndexingParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectAxis, expectDtype, expectShape, sameDtype, type TypeRules } from './rule.ts';

export const indexingTypes: TypeRules<keyof IndexingParams> = {
  gather: ([x, indices], { axis }, primitive) => {
    expectDtype(indices!, ['int32'], primitive);
    expectAxis(axis, x!, primitive);
    return { shape: x!.shape.toSpliced(axis, 1, ...indices!.shape), dtype: x!.dtype };
  },
  scatterAdd: scatter,
  scatterSet: scatter,
  takeAlong: ([x, indices], { axis }, primitive) => {
    expectAlong(x!, indices!, axis, primitive);
    return { shape: indices!.shape, dtype: x!.dtype };
  },
  scatterAlong: ([base, indices, updates], { axis }, primitive) => {
    expectDtype(base!, ['float32', 'int32'], primitive);
    expectAlong(base!, indices!, axis, primitive);
    expectShape(updates!, indices!.shape, 'scatterAlong: updates');
    return { shape: base!.shape, dtype: sameDtype(base!, updates!, primitive) };
  },
  topIndices: ([x], { axis, k }, primitive) => {
    expectDtype(x!, ['float32', 'int32'], primitive);
    expectAxis(axis, x!, primitive);
    if (!Number.isInteger(k) || k < 0 || k > x!.shape[axis]!) {
      throw invalidInput(`${primitive}: ${k} of the ${x!.shape[axis]} elements along axis ${axis} cannot be taken`);
    }
    return { shape: x!.shape.with(axis, k), dtype: 'int32' };
  },
};

function scatter([base, indices, updates]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  expectDtype(base!, ['float32', 'int32'], primitive);
  expectDtype(indices!, ['int32'], primitive);
  expectAxis(0, base!, primitive);
  expectShape(updates!, [...indices!.shape, ...base!.shape.slice(1)], `${primitive}: updates`);
  return { shape: base!.shape, dtype: sameDtype(base!, updates!, primitive) };
}

function expectAlong(x: TensorType, indices: TensorType, axis: number, what: string): void {
  expectDtype(indices, ['int32'], what);
  expectAxis(axis, x, what);
  if (!shapesEqual(x.shape.toSpliced(axis, 1), indices.shape.toSpliced(axis, 1))) {
    throw invalidInput(
      `${what}: indices ${formatShape(indices.shape)} do not go along axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
}
