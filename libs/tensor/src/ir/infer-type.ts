/** Shape and dtype of every primitive's result, and what it demands of its inputs. */
import { invalidInput } from '@crucible/foundation';
import type { DType } from '../dtype.ts';
import { assertShape, broadcastShapes, formatShape, type Shape, shapesEqual, sizeOf } from '../shape.ts';
import type { Primitive, PrimitiveParams } from './primitive.ts';
import type { TensorType } from './tensor.ts';

type TypeRule<P extends Primitive> = (
  inputs: readonly TensorType[],
  params: PrimitiveParams[P],
  primitive: P,
) => TensorType;

export function inferType<P extends Primitive>(
  primitive: P,
  inputs: readonly TensorType[],
  params: PrimitiveParams[P],
): TensorType {
  return typeRules[primitive](inputs, params, primitive);
}

const typeRules: { readonly [P in Primitive]: TypeRule<P> } = {
  input: (_inputs, { shape, dtype }, primitive) => {
    assertShape(shape, primitive);
    return { shape, dtype };
  },
  constant: (_inputs, { value }) => ({ shape: value.shape, dtype: value.dtype }),

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

  matmul: matrixProduct,
  matmulAdd: ([a, b, c], params, primitive) => {
    const type = matrixProduct([a!, b!], params, primitive);
    expectDtype(c!, ['float32'], primitive);
    if (type.shape.length !== 2 || !shapesEqual(broadcastShapes(c!.shape, type.shape, primitive), type.shape)) {
      throw invalidInput(
        `matmulAdd: ${formatShape(c!.shape)} does not broadcast to the matrix ${formatShape(type.shape)}`,
      );
    }
    return type;
  },

  reshape: ([x], { shape }, primitive) => {
    assertShape(shape, primitive);
    if (sizeOf(shape) !== sizeOf(x!.shape)) {
      throw invalidInput(`reshape: ${formatShape(x!.shape)} does not fill ${formatShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  transpose: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== x!.shape.length || !sorted.every((axis, i) => axis === i)) {
      throw invalidInput(
        `transpose: ${formatShape(permutation)} does not permute the axes of ${formatShape(x!.shape)}`,
      );
    }
    return { shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  broadcast: ([x], { shape }, primitive) => {
    if (!shapesEqual(broadcastShapes(x!.shape, shape, primitive), shape)) {
      throw invalidInput(`broadcast: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  concat: (inputs, { axis }) => {
    const [first] = inputs;
    if (!first) throw invalidInput('concat: there is nothing to join');
    for (const other of inputs) {
      const fits = other.shape.length === first.shape.length && other.dtype === first.dtype;
      if (!fits || !other.shape.every((size, i) => i === axis || size === first.shape[i])) {
        const shapes = inputs.map((input) => `${input.dtype}${formatShape(input.shape)}`).join(', ');
        throw invalidInput(`concat: ${shapes} differ outside axis ${axis}`);
      }
    }
    const total = inputs.reduce((sum, input) => sum + input.shape[axis]!, 0);
    return { shape: first.shape.map((size, i) => (i === axis ? total : size)), dtype: first.dtype };
  },
  slice: ([x], { starts, ends }) => {
    const inside = x!.shape.every((size, i) => 0 <= starts[i]! && starts[i]! <= ends[i]! && ends[i]! <= size);
    if (!inside || starts.length !== x!.shape.length || ends.length !== x!.shape.length) {
      throw invalidInput(
        `slice: ${formatShape(starts)} to ${formatShape(ends)} is not inside ${formatShape(x!.shape)}`,
      );
    }
    return { shape: starts.map((start, i) => ends[i]! - start), dtype: x!.dtype };
  },
  pad: ([x], { before, after }) => {
    const { shape, dtype } = x!;
    if (before.length !== shape.length || after.length !== shape.length || [...before, ...after].some((n) => n < 0)) {
      throw invalidInput(`pad: ${formatShape(before)} and ${formatShape(after)} do not fit ${formatShape(shape)}`);
    }
    return { shape: shape.map((size, i) => before[i]! + size + after[i]!), dtype };
  },

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

  softmax: float,
  rmsNorm: ([x, weight], _params, primitive) => {
    expectShape(weight!, x!.shape.slice(-1), 'rmsNorm: weight');
    return expectDtype(x!, ['float32'], primitive);
  },
  inverseRms: rowStatistic,
  layerNorm: ([x, weight, bias], _params, primitive) => {
    expectShape(weight!, x!.shape.slice(-1), 'layerNorm: weight');
    expectShape(bias!, x!.shape.slice(-1), 'layerNorm: bias');
    return expectDtype(x!, ['float32'], primitive);
  },
  inverseStd: rowStatistic,
  rotary: ([x, positions, cos, sin], { heads }, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    expectDtype(positions!, ['int32'], primitive);
    const [batch, time, width] = x!.shape;
    if (x!.shape.length !== 3 || width! % (2 * heads) !== 0) {
      throw invalidInput(`rotary: ${formatShape(x!.shape)} is not [batch, time, ${heads} heads of an even size]`);
    }
    expectShape(positions!, [batch!, time!], 'rotary: positions');
    expectShape(cos!, [cos!.shape[0]!, width! / heads / 2], 'rotary: cos');
    expectShape(sin!, cos!.shape, 'rotary: sin');
    return x!;
  },
};

function matrixProduct(
  [a, b]: readonly TensorType[],
  { transposeA, transposeB }: PrimitiveParams['matmul'],
  primitive: string,
): TensorType {
  expectDtype(a!, ['float32'], primitive);
  expectDtype(b!, ['float32'], primitive);
  const [rows, innerA] = matrixSizes(a!.shape, transposeA);
  const [innerB, columns] = matrixSizes(b!.shape, transposeB);
  if (a!.shape.length < 2 || b!.shape.length < 2 || innerA !== innerB) {
    const mark = (transposed: boolean): string => (transposed ? ' transposed' : '');
    throw invalidInput(
      `${primitive}: ${formatShape(a!.shape)}${mark(transposeA)} and ${formatShape(b!.shape)}${mark(transposeB)} do not fit`,
    );
  }
  const batch = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2), primitive);
  return { shape: [...batch, rows!, columns!], dtype: 'float32' };
}

function matrixSizes(shape: Shape, transposed: boolean): readonly [number | undefined, number | undefined] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}

function numeric([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return expectDtype(x!, ['float32', 'int32'], primitive);
}

function float([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  return expectDtype(x!, ['float32'], primitive);
}

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

function rowStatistic([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  expectDtype(x!, ['float32'], primitive);
  return { shape: [...x!.shape.slice(0, -1), 1], dtype: 'float32' };
}

function expectDtype(type: TensorType, allowed: readonly DType[], what: string): TensorType {
  if (!allowed.includes(type.dtype)) {
    throw invalidInput(`${what}: takes ${allowed.join(' or ')}, not ${type.dtype}${formatShape(type.shape)}`);
  }
  return type;
}

function sameDtype(a: TensorType, b: TensorType, what: string): DType {
  if (a.dtype !== b.dtype) throw invalidInput(`${what}: ${a.dtype} and ${b.dtype} do not mix; cast one of them`);
  return a.dtype;
}

function expectShape(type: TensorType, shape: Shape, what: string): void {
  if (!shapesEqual(type.shape, shape)) {
    throw invalidInput(`${what}: shape ${formatShape(type.shape)}, expected ${formatShape(shape)}`);
  }
}

function expectAlong(x: TensorType, indices: TensorType, what: string): void {
  expectDtype(indices, ['int32'], what);
  if (x.shape.length === 0 || !shapesEqual(x.shape.slice(0, -1), indices.shape.slice(0, -1))) {
    throw invalidInput(`${what}: indices ${formatShape(indices.shape)} do not go along ${formatShape(x.shape)}`);
  }
}
