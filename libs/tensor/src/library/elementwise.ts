import { invalidInput } from '@crucible/foundation';
import type { DType } from '../dtype.ts';
import type { ElementwiseParams, Primitive } from '../ir/primitive.ts';
import { isTensor, type Tensor } from '../ir/tensor.ts';
import { shapesEqual } from '../shape.ts';

/** A tensor, or a number that takes the dtype of the other operand. Shapes broadcast by NumPy's rule. */
export type Operand = Tensor | number;

type Plain = Exclude<keyof ElementwiseParams, 'cast' | 'where'>;

function unary(primitive: Plain): (x: Tensor) => Tensor {
  return (x) => x.graph.node(primitive, [x], {});
}

function binary(primitive: Plain): (a: Operand, b: Operand) => Tensor {
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
/** log(1 + x), exact near 0. */
export const log1p = unary('log1p');
/** eˣ - 1, exact near 0. */
export const expm1 = unary('expm1');
export const sqrt = unary('sqrt');
export const reciprocal = unary('reciprocal');
export const sin = unary('sin');
export const cos = unary('cos');
export const tan = unary('tan');
export const asin = unary('asin');
export const acos = unary('acos');
export const atan = unary('atan');
export const sinh = unary('sinh');
export const cosh = unary('cosh');
export const tanh = unary('tanh');
export const asinh = unary('asinh');
export const acosh = unary('acosh');
export const atanh = unary('atanh');
export const erf = unary('erf');
export const sigmoid = unary('sigmoid');
export const floor = unary('floor');
export const ceil = unary('ceil');
/** To the nearest whole number, halves to the even one. */
export const round = unary('round');
export const not = unary('not');
/** The value, through which no gradient flows. */
export const stopGradient = unary('stopGradient');

/** x · sigmoid(x). */
export const silu = unary('silu');
/** Gaussian error linear unit, exact: x · Φ(x). */
export const gelu = unary('gelu');
/** Gaussian error linear unit as GPT-2 approximates it, by tanh. */
export const geluTanh = unary('geluTanh');
/** max(x, 0); its gradient at 0 is 0. */
export const relu = unary('relu');
/** log(1 + eˣ), without overflow. */
export const softplus = unary('softplus');

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
/** Of integers: the quotient towards zero; by 0 it fails when the program runs. */
export const div = binary('div');
/** The remainder of `div`, with the sign of a, as `%` is in JavaScript; by an integer 0 it fails when the program runs. */
export const rem = binary('rem');
export const pow = binary('pow');
/** The larger; where both are equal each gets half of the gradient. */
export const maximum = binary('maximum');
/** The smaller; where both are equal each gets half of the gradient. */
export const minimum = binary('minimum');
export const equal = binary('equal');
export const less = binary('less');
export const lessOrEqual = binary('lessOrEqual');
export const and = binary('and');
export const or = binary('or');

/** Bits of uint32. */
export const bitAnd = binary('bitAnd');
export const bitOr = binary('bitOr');
export const bitXor = binary('bitXor');
/** uint32 by 0 … 31 places. */
export const shiftLeft = binary('shiftLeft');
/** uint32 by 0 … 31 places; zeros come in. */
export const shiftRight = binary('shiftRight');

/** True where either is NaN, as in JavaScript. */
export function notEqual(a: Operand, b: Operand): Tensor {
  return not(equal(a, b));
}

export function greater(a: Operand, b: Operand): Tensor {
  return less(b, a);
}

export function greaterOrEqual(a: Operand, b: Operand): Tensor {
  return lessOrEqual(b, a);
}

/** Of bools: whether exactly one is true. */
export function xor(a: Tensor, b: Tensor): Tensor {
  return notEqual(a, b);
}

export function isNaN(x: Tensor): Tensor {
  return notEqual(x, x);
}

/** Neither infinite nor NaN. */
export function isFinite(x: Tensor): Tensor {
  return lessOrEqual(abs(x), largestFloat);
}

/** Positive or negative infinity. */
export function isInfinite(x: Tensor): Tensor {
  return less(largestFloat, abs(x));
}

/** Of float32. */
const largestFloat = (2 - 2 ** -23) * 2 ** 127;

/** Towards zero, of floats. */
export function trunc(x: Tensor): Tensor {
  return where(less(x, 0), ceil(x), floor(x));
}

/** The remainder with the sign of b, as `%` is in Python: 0 ≤ mod(a, b) < b for positive b. */
export function mod(a: Operand, b: Operand): Tensor {
  const [left, right] = toTensors(a, b, 'rem');
  const remainder = rem(left, right);
  const crosses = and(notEqual(remainder, 0), xor(less(remainder, 0), less(right, 0)));
  return add(remainder, where(crosses, right, 0));
}

/** The largest whole number that is not above a / b, as `//` is in Python. Of integers and floats. */
export function floorDivide(a: Operand, b: Operand): Tensor {
  const [left, right] = toTensors(a, b, 'div');
  return left.dtype === 'float32' ? floor(div(left, right)) : div(sub(left, mod(left, right)), right);
}

export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** `x` held within low … high. At a bound half of the gradient goes to x and half to the bound. */
export function clamp(x: Tensor, low: Operand, high: Operand): Tensor {
  return minimum(maximum(x, low), high);
}

/** x where it is positive, `slope` x where not. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return where(less(0, x), x, mul(x, slope));
}

/** x where it is positive, `alpha` (eˣ - 1) where not (Clevert et al. 2016). */
export function elu(x: Tensor, alpha = 1): Tensor {
  // The unused side must not overflow: its gradient would be 0 · ∞.
  return where(less(0, x), x, mul(expm1(minimum(x, 0)), alpha));
}

/** log(1 / (1 + e⁻ˣ)), without overflow on either side. */
export function logSigmoid(x: Tensor): Tensor {
  return neg(softplus(neg(x)));
}

/** Truncates towards zero from float to integers; bool becomes 0 or 1; anything but 0 becomes true. */
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
