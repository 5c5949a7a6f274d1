import { invalidInput } from '@crucible/foundation';
import { broadcastShapes, formatShape, type Shape, shapesEqual } from '../../shape.ts';
import type { LinalgParams, PrimitiveParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, sameDtype, type TypeRules } from './rule.ts';

export const linalgTypes: TypeRules<keyof LinalgParams> = {
  matmul: matrixProduct,
  matmulAdd: ([a, b, c], params, primitive) => {
    const type = matrixProduct([a!, b!], params, primitive);
    sameDtype(a!, c!, primitive);
    if (type.shape.length !== 2 || !shapesEqual(broadcastShapes(c!.shape, type.shape, primitive), type.shape)) {
      throw invalidInput(
        `matmulAdd: ${formatShape(c!.shape)} does not broadcast to the matrix ${formatShape(type.shape)}`,
      );
    }
    return type;
  },
  matmulQuantized: ([x], { weight }, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    const [rows, inner] = x!.shape;
    if (x!.shape.length !== 2 || inner !== weight.columns) {
      throw invalidInput(
        `matmulQuantized: ${formatShape(x!.shape)} and a matrix ${formatShape([weight.rows, weight.columns])} do not fit`,
      );
    }
    return { shape: [rows!, weight.rows], dtype: 'float32' };
  },
};

function matrixProduct(
  [a, b]: readonly TensorType[],
  { transposeA, transposeB }: PrimitiveParams['matmul'],
  primitive: string,
): TensorType {
  expectDtype(a!, ['float32', 'float16', 'bfloat16'], primitive);
  sameDtype(a!, b!, primitive);
  const [rows, innerA] = matrixSizes(a!.shape, transposeA);
  const [innerB, columns] = matrixSizes(b!.shape, transposeB);
  if (a!.shape.length < 2 || b!.shape.length < 2 || innerA !== innerB) {
    const mark = (transposed: boolean): string => (transposed ? ' transposed' : '');
    throw invalidInput(
      `${primitive}: ${formatShape(a!.shape)}${mark(transposeA)} and ${formatShape(b!.shape)}${mark(transposeB)} do not fit`,
    );
  }
  const batch = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2), primitive);
  return { shape: [...batch, rows!, columns!], dtype: a!.dtype };
}

function matrixSizes(shape: Shape, transposed: boolean): readonly [number | undefined, number | undefined] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
