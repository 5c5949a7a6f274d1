/**
 * Where WebGPU differs: what ONNX Runtime has no kernel for there, or a wrong one, is composed of what it has. All int64
 * but indices of scatters and tables is such, too: the binding does not let it be switched on.
 */
import { type DType, isHalf } from '../../dtype.ts';
import type { LinalgParams, OneResult } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { isPlainNorm } from '../../rewrite/share-norm.ts';
import { ints } from '../../nd-array.ts';
import { sizeOf, stridesOf } from '../../shape.ts';
import { elementType, FloatAttribute, type OnnxWriter } from '../onnx-writer.ts';
import { elementwiseOnnx } from '../rules/elementwise.ts';
import { indexingOnnx } from '../rules/indexing.ts';
import { movementOnnx } from '../rules/movement.ts';
import type { OnnxRule, OnnxRules } from '../rules/rule.ts';
import { combineByArithmetic, shiftByArithmetic } from './bitwise-arithmetic.ts';
import { circular } from './circular.ts';
import { extremeIndex, placesAlong, topIndices } from './top-indices.ts';

export const webgpuOnnx: Partial<OnnxRules<OneResult>> = {
  neg: (onnx, tensor, inputs) =>
    tensor.dtype === 'int32'
      ? onnx.op('Sub', [zeroOf(onnx, 'int32'), ...inputs])
      : elementwiseOnnx.neg(onnx, tensor, inputs),
  abs: (onnx, tensor, inputs) =>
    tensor.dtype === 'int32'
      ? onnx.op('Max', [inputs[0]!, onnx.op('Sub', [zeroOf(onnx, 'int32'), inputs[0]!])])
      : elementwiseOnnx.abs(onnx, tensor, inputs),
  sign: (onnx, { dtype }, [x]) => {
    const zero = zeroOf(onnx, dtype);
    const is = (a: string, b: string): string =>
      onnx.op('Cast', [onnx.op('Less', [a, b])], { attributes: { to: elementType[dtype] } });
    return onnx.op('Sub', [is(zero, x!), is(x!, zero)]);
  },
  sin: (onnx, _tensor, [x]) => circular(onnx, x!, 0),
  cos: (onnx, _tensor, [x]) => circular(onnx, x!, 1),
  // From 2²³ on there are whole numbers alone.
  round: (onnx, _tensor, [x]) => {
    const below = onnx.op('Floor', [x!]);
    const rest = onnx.op('Sub', [x!, below]);
    const half = onnx.scalar(0.5);
    const isOdd = onnx.op('Sub', [
      below,
      onnx.op('Mul', [onnx.op('Floor', [onnx.op('Mul', [below, half])]), onnx.scalar(2)]),
    ]);
    const up = onnx.op('Where', [
      onnx.op('Equal', [rest, half]),
      isOdd,
      onnx.op('Cast', [onnx.op('Less', [half, rest])], { attributes: { to: elementType.float32 } }),
    ]);
    const isSmall = onnx.op('Less', [onnx.op('Abs', [x!]), onnx.scalar(2 ** 23)]);
    return onnx.op('Where', [isSmall, onnx.op('Add', [below, up]), x!]);
  },
  rem: (onnx, { dtype }, [a, b]) => {
    const quotient = onnx.op('Div', [a!, b!]);
    if (dtype !== 'float32') return onnx.op('Sub', [a!, onnx.op('Mul', [quotient, b!])]);
    const zero = onnx.scalar(0);
    const floor = onnx.op('Floor', [onnx.op('Abs', [quotient])]);
    const whole = onnx.op('Where', [onnx.op('Less', [quotient, zero]), onnx.op('Neg', [floor]), floor]);
    const rest = onnx.op('Sub', [a!, onnx.op('Mul', [whole, b!])]);
    // A quotient may be rounded over a whole number, either way.
    const size = onnx.op('Abs', [b!]);
    const toward = onnx.op('Where', [onnx.op('Less', [a!, zero]), onnx.op('Neg', [size]), size]);
    const isOver = onnx.op('LessOrEqual', [size, onnx.op('Abs', [rest])]);
    const once = onnx.op('Where', [isOver, onnx.op('Sub', [rest, toward]), rest]);
    const isUnder = onnx.op('Less', [onnx.op('Mul', [once, toward]), zero]);
    return onnx.op('Where', [isUnder, onnx.op('Add', [once, toward]), once]);
  },
  // An output that is an input of the program is copied, for which bools have no kernel.
  stopGradient: withoutBool(elementwiseOnnx.stopGradient),
  equal: withoutBool(elementwiseOnnx.equal),
  or: (onnx, _tensor, [a, b]) => onnx.op('Not', [onnx.op('And', [onnx.op('Not', [a!]), onnx.op('Not', [b!])])]),
  bitAnd: (onnx, _tensor, [a, b]) => combineByArithmetic(onnx, 'and', a!, b!),
  bitOr: (onnx, _tensor, [a, b]) => combineByArithmetic(onnx, 'or', a!, b!),
  bitXor: (onnx, _tensor, [a, b]) => combineByArithmetic(onnx, 'xor', a!, b!),
  shiftLeft: (onnx, _tensor, [a, places]) => shiftByArithmetic(onnx, 'Mul', a!, places!),
  shiftRight: (onnx, _tensor, [a, places]) => shiftByArithmetic(onnx, 'Div', a!, places!),

  argMax: extreme(true),
  argMin: extreme(false),
  topIndices: (onnx, { params, inputs: [x] }, [name]) =>
    topIndices(onnx, name!, { shape: x!.shape, dtype: x!.dtype as 'float32' | 'int32' }, params),

  matmul: (onnx, tensor, [a, b]) => {
    const [left, right] = tensor.inputs as [Tensor, Tensor];
    if (left.rank === 2 && right.rank === 2) return gemm(onnx, tensor.params, [a!, b!]);
    const { transposeA, transposeB, alpha } = tensor.params;
    const oriented = (name: string, { rank }: Tensor, isTransposed: boolean): string => {
      if (!isTransposed) return name;
      const perm = Array.from({ length: rank }, (_, axis) => axis);
      return onnx.sharedOp('Transpose', [name], {
        attributes: { perm: [...perm.slice(0, -2), rank - 1, rank - 2] },
      });
    };
    const operands = [oriented(a!, left, transposeA), oriented(b!, right, transposeB)];
    if (alpha === 1) return onnx.op('MatMul', operands);
    // Where there are the fewest numbers
    const sizes = [sizeOf(left.shape), sizeOf(right.shape), sizeOf(tensor.shape)];
    const smallest = sizes.indexOf(Math.min(...sizes));
    const factor = castTo(onnx, onnx.scalar(alpha), tensor.dtype);
    const scaled = (name: string): string => onnx.op('Mul', [name, factor]);
    if (smallest === 2) return scaled(onnx.op('MatMul', operands));
    return onnx.op(
      'MatMul',
      operands.map((operand, i) => (i === smallest ? scaled(operand) : operand)),
    );
  },
  matmulAdd: (onnx, { params }, inputs) => gemm(onnx, params, inputs),

  transpose: withoutBool(movementOnnx.transpose),
  concat: withoutBool(movementOnnx.concat),
  pad: withoutBool(movementOnnx.pad),
  slice: withoutBool((onnx, tensor, inputs) => {
    if (isFloat(tensor)) return movementOnnx.slice(onnx, tensor, inputs);
    const { starts, steps } = tensor.params;
    return pickPlaces(onnx, tensor, inputs[0]!, (axis, i) => starts[axis]! + i * (steps?.[axis] ?? 1));
  }),
  flip: withoutBool((onnx, tensor, inputs) => {
    if (isFloat(tensor)) return movementOnnx.flip(onnx, tensor, inputs);
    const { axes } = tensor.params;
    return pickPlaces(onnx, tensor, inputs[0]!, (axis, i) => (axes.includes(axis) ? tensor.shape[axis]! - 1 - i : i));
  }),

  takeAlong: withoutBool((onnx, tensor, inputs) =>
    tensor.dtype === 'float32' ? indexingOnnx.takeAlong(onnx, tensor, inputs) : takeFlat(onnx, tensor, inputs),
  ),
  scatterAdd: scatter('add'),
  scatterSet: scatter('none'),

  // The kernel's second result is not what it should be.
  rmsNorm: (onnx, tensor, [x, weight]) => {
    const { epsilon } = tensor.params;
    if (isPlainNorm(tensor)) return onnx.op('Mul', [x!, inverseRms(onnx, x!, epsilon)]);
    return onnx.op('SimplifiedLayerNormalization', [x!, weight!], {
      attributes: { axis: -1, epsilon: new FloatAttribute(epsilon) },
    });
  },
  inverseRms: (onnx, { params }, [x]) => inverseRms(onnx, x!, params.epsilon),
};

function isFloat({ dtype }: Tensor): boolean {
  return dtype === 'float32' || isHalf(dtype);
}

/** A rule for kernels that have no bool: of these it makes int32, and bool of what comes out. */
function withoutBool<P extends OneResult>(rule: OnnxRule<P>): OnnxRule<P> {
  return (onnx, tensor, inputs) => {
    const isBool = (operand: Tensor): boolean => operand.dtype === 'bool';
    if (!tensor.inputs.some(isBool)) return rule(onnx, tensor, inputs);
    const numbers = inputs.map((name, i) => (isBool(tensor.inputs[i]!) ? castTo(onnx, name, 'int32') : name));
    const result = rule(onnx, tensor, numbers);
    return isBool(tensor) && tensor.primitive !== 'equal' ? castTo(onnx, result, 'bool') : result;
  };
}

/** Slices of integers: element i along an axis is the operand's at `placeOf(axis, i)`. */
function pickPlaces(
  onnx: OnnxWriter,
  { shape, inputs: [x] }: Tensor,
  name: string,
  placeOf: (axis: number, i: number) => number,
): string {
  return shape.reduce((from, size, axis) => {
    const places = Array.from({ length: size }, (_, i) => placeOf(axis, i));
    if (size === x!.shape[axis] && places.every((place, i) => place === i)) return from;
    const list = onnx.sharedConstant(`places ${places.join()}`, () => ints([size], places));
    return onnx.op('Gather', [from, list], { attributes: { axis } });
  }, name);
}

/** Picks along an axis by places counted over all elements. */
function takeFlat(
  onnx: OnnxWriter,
  { params: { axis }, inputs: [x, indices] }: Tensor<'takeAlong'>,
  names: readonly string[],
) {
  const strides = stridesOf(x!.shape);
  const stride = (along: number): string =>
    onnx.sharedConstant(`int32 ${strides[along]}`, () => ints([], [strides[along]!]));
  let at = onnx.op('Mul', [names[1]!, stride(axis)]);
  indices!.shape.forEach((size, along) => {
    if (along === axis || size === 1) return;
    const places = placesAlong(onnx, indices!.rank, along, size);
    at = onnx.op('Add', [at, onnx.sharedOp('Mul', [places, stride(along)])]);
  });
  const flat = onnx.op('Reshape', [names[0]!, onnx.int64s([-1])]);
  return onnx.op('Gather', [flat, at], { attributes: { axis: 0 } });
}

function castTo(onnx: OnnxWriter, name: string, dtype: DType): string {
  return onnx.sharedOp('Cast', [name], { attributes: { to: elementType[dtype] } });
}

function gemm(onnx: OnnxWriter, { transposeA, transposeB, alpha }: LinalgParams['matmul'], inputs: readonly string[]) {
  return onnx.op('Gemm', inputs, {
    attributes: { transA: Number(transposeA), transB: Number(transposeB), alpha: new FloatAttribute(alpha) },
  });
}

function inverseRms(onnx: OnnxWriter, x: string, epsilon: number): string {
  const squares = onnx.sharedOp('Mul', [x, x]);
  const mean = onnx.sharedOp('ReduceMean', [squares, onnx.int64s([-1])], { attributes: { keepdims: 1 } });
  return onnx.sharedOp('Reciprocal', [onnx.sharedOp('Sqrt', [onnx.sharedOp('Add', [mean, onnx.scalar(epsilon)])])]);
}

function scatter(reduction: 'add' | 'none'): OnnxRule<'scatterAdd' | 'scatterSet'> {
  return (onnx, { inputs: [, ids] }, [base, indices, updates]) => {
    const rows = onnx.sharedOp('Reshape', [indices!, onnx.int64s([...ids!.shape, 1])]);
    const wide = onnx.sharedOp('Cast', [rows], { attributes: { to: elementType.int64 } });
    return onnx.op('ScatterND', [base!, wide, updates!], { attributes: { reduction } });
  };
}

function extreme(largest: boolean): OnnxRule<'argMax' | 'argMin'> {
  return (onnx, { params: { axis }, inputs: [x], shape }, [name]) =>
    onnx.op('Reshape', [extremeIndex(onnx, name!, x!.shape, axis, largest), onnx.int64s(shape)], {
      attributes: { allowzero: 1 },
    });
}

function zeroOf(onnx: OnnxWriter, dtype: Tensor['dtype']): string {
  return onnx.sharedConstant(`zero ${dtype}`, () =>
    dtype === 'float32'
      ? { dtype, shape: [], data: new Float32Array(1) }
      : { dtype: 'int32', shape: [], data: new Int32Array(1) },
  );
}
