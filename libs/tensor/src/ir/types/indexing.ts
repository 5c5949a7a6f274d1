import { invalidInput } from '@crucible/foundation';
import { formatShape, shapesEqual } from '../../shape.ts';
import type { IndexingParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, expectShape, sameDtype, type TypeRules } from './rule.ts';

export const indexingTypes: TypeRules<keyof IndexingParams> = {
  gather: ([table, indices], _params, primitive) => {
    expectDtype(indices!, ['int32'], primitive);
    if (table!.shape.length === 0) throw invalidInput('gather: the table has no rows, it is a scalar');
    return { shape: [...indices!.shape, ...table!.shape.slice(1)], dtype: table!.dtype };
  },
  scatterAdd: ([base, indices, updates], _params, primitive) => {
    expectDtype(base!, ['float32', 'int32'], primitive);
    expectDtype(indices!, ['int32'], primitive);
    expectShape(updates!, [...indices!.shape, ...base!.shape.slice(1)], 'scatterAdd: updates');
    return { shape: base!.shape, dtype: sameDtype(base!, updates!, primitive) };
  },
  takeAlong: ([x, indices], _params, primitive) => {
    expectAlong(x!, indices!, primitive);
    return { shape: indices!.shape, dtype: x!.dtype };
  },
  scatterAlong: ([base, indices, updates], _params, primitive) => {
    expectDtype(base!, ['float32', 'int32'], primitive);
    expectAlong(base!, indices!, primitive);
    expectShape(updates!, indices!.shape, 'scatterAlong: updates');
    return { shape: base!.shape, dtype: sameDtype(base!, updates!, primitive) };
  },
};

function expectAlong(x: TensorType, indices: TensorType, what: string): void {
  expectDtype(indices, ['int32'], what);
  if (x.shape.length === 0 || !shapesEqual(x.shape.slice(0, -1), indices.shape.slice(0, -1))) {
    throw invalidInput(`${what}: indices ${formatShape(indices.shape)} do not go along ${formatShape(x.shape)}`);
  }
}
