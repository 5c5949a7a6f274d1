import { invalidInput } from '@crucible/foundation';
import type { DType } from '../dtype.ts';
import type { Primitive } from '../ir/primitive.ts';
import { isTensor, type Tensor } from '../ir/tensor.ts';
import { shapesEqual } from '../shape.ts';

/** A tensor, or a number that takes the dtype of the other operand. Shapes broadcast by NumPy's rule. */
export type Operand = Tensor | number;

type Unary = 'neg' | 'abs' | 'sign' | 'exp' | 'log' | 'sqrt' | 'reciprocal' | 'sin' | 'cos' | 'tanh' | 'erf';
type OtherUnary = 'sigmoid' | 'silu' | 'gelu' | 'not' | 'stopGradient';
type Binary = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum';
type OtherBinary = 'equal' | 'less' | 'lessOrEqual' | 'and' | 'or';

function unary(primitive: Unary | OtherUnary): (x: Tensor) => Tensor {
  return (x) => x.graph.node(primitive, [x], {});
}

function binary(primitive: Binary | OtherBinary): (a: Operand, b: Operand) => Tensor {
  return (a, b) => {
    const [left, right] = toTensors(a, b, primitive);
    return left.graph.node(primitive, [left, right], {});
  };
}

function toTensors(a: Operand, b: Operand, what: Primitive): [Tensor, Tensor] {
  if (isTensor(a)) return [a, isTensor(b) ? b : a.graph.scalar(b, a.dtype)];
  if (isTensor(b)) return [b.graph.scalar(a, b.dtype), b];
  throw invalidInput(`${what}: one operand must be a tensor, not ${a} and ${b}`);
}

export const neg = unary('neg');
export const abs = unary('abs');
/** -1, 0 or 1. */
export const sign = unary('sign');
export const exp = unary('exp');
/** Natural logarithm. */
export const log = unary('log');
export const sqrt = unary('sqrt');
export const reciprocal = unary('reciprocal');
export const sin = unary('sin');
export const cos = unary('cos');
export const tanh = unary('tanh');
export const erf = unary('erf');
export const sigmoid = unary('sigmoid');
/** x · sigmoid(x). */
export const silu = unary('silu');
/** Gaussian error linear unit, exact: x · Φ(x). */
export const gelu = unary('gelu');
export const not = unary('not');
/** The value, through which no gradient flows. */
export const stopGradient = unary('stopGradient');

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const pow = binary('pow');
export const maximum = binary('maximum');
export const minimum = binary('minimum');
export const equal = binary('equal');
export const less = binary('less');
export const lessOrEqual = binary('lessOrEqual');
export const and = binary('and');
export const or = binary('or');

export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** `x` held within low … high. */
export function clamp(x: Tensor, low: Operand, high: Operand): Tensor {
  return minimum(maximum(x, low), high);
}

/** Truncates towards zero from float to int32; bool becomes 0 or 1; anything but 0 becomes true. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : x.graph.node('cast', [x], { dtype });
}

/** condition ? a : b, elementwise. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (!isTensor(a) && !isTensor(b)) {
    return condition.graph.node('where', [condition, condition.graph.scalar(a), condition.graph.scalar(b)], {});
  }
  return condition.graph.node('where', [condition, ...toTensors(a, b, 'where')], {});
}

/** log(1 / (1 + exp(-x))), without overflow on either side. */
export function logSigmoid(x: Tensor): Tensor {
  return sub(minimum(x, 0), log(add(exp(neg(abs(x))), 1)));
}

/** Sum of several tensors of one shape. */
export function addAll(terms: readonly Tensor[]): Tensor {
  const [first, ...rest] = terms;
  if (!first) throw invalidInput('addAll: there is nothing to add');
  return rest.reduce((sum, term) => add(sum, term), first);
}

/** Sums out the axes along which `shape` was broadcast to the shape of `x`: what broadcasting does to a gradient. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  if (shapesEqual(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((size, axis) => (axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : []));
  const summed = axes.length === 0 ? x : x.graph.node('sum', [x], { axes, keepDims: false });
  return x.graph.node('reshape', [summed], { shape });
}
