import type { ElementwiseParams } from '../../ir/primitive.ts';
import {
  add,
  cast,
  cos,
  cosh,
  div,
  equal,
  erf,
  exp,
  floor,
  less,
  log,
  mul,
  neg,
  pow,
  sigmoid,
  sign,
  sin,
  sinh,
  sqrt,
  square,
  sub,
  sumTo,
  where,
} from '../../library/elementwise.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type GradientRules, noGradient } from '../rule.ts';

export const elementwiseGradients: GradientRules<keyof ElementwiseParams> = {
  // d(-x) = -dx
  neg: (_y, dy) => [neg(dy)],
  // d|x| = sign(x) dx
  abs: (y, dy) => [mul(dy, sign(y.inputs[0]!))],
  sign: noGradient,
  // d eˣ = eˣ dx
  exp: (y, dy) => [mul(dy, y)],
  // d ln x = dx / x
  log: (y, dy) => [div(dy, y.inputs[0]!)],
  // d √x = dx / (2 √x)
  sqrt: (y, dy) => [div(mul(dy, 0.5), y)],
  // d(1/x) = -dx / x²
  reciprocal: (y, dy) => [neg(mul(dy, square(y)))],
  sin: (y, dy) => [mul(dy, cos(y.inputs[0]!))],
  cos: (y, dy) => [neg(mul(dy, sin(y.inputs[0]!)))],
  // d tan x = (1 + tan² x) dx
  tan: (y, dy) => [mul(dy, add(square(y), 1))],
  // d asin x = dx / √(1 - x²)
  asin: (y, dy) => [div(dy, sqrt(sub(1, square(y.inputs[0]!))))],
  acos: (y, dy) => [neg(div(dy, sqrt(sub(1, square(y.inputs[0]!)))))],
  // d atan x = dx / (1 + x²)
  atan: (y, dy) => [div(dy, add(square(y.inputs[0]!), 1))],
  sinh: (y, dy) => [mul(dy, cosh(y.inputs[0]!))],
  cosh: (y, dy) => [mul(dy, sinh(y.inputs[0]!))],
  // d tanh x = (1 - tanh² x) dx
  tanh: (y, dy) => [mul(dy, sub(1, square(y)))],
  // d asinh x = dx / √(x² + 1)
  asinh: (y, dy) => [div(dy, sqrt(add(square(y.inputs[0]!), 1)))],
  // d acosh x = dx / √(x² - 1)
  acosh: (y, dy) => [div(dy, sqrt(sub(square(y.inputs[0]!), 1)))],
  // d atanh x = dx / (1 - x²)
  atanh: (y, dy) => [div(dy, sub(1, square(y.inputs[0]!)))],
  // d log(1 + x) = dx / (1 + x)
  log1p: (y, dy) => [div(dy, add(y.inputs[0]!, 1))],
  // d(eˣ - 1) = eˣ dx
  expm1: (y, dy) => [mul(dy, add(y, 1))],
  // d erf x = 2/√π · e^(-x²) dx
  erf: (y, dy) => [mul(dy, mul(exp(neg(square(y.inputs[0]!))), 2 / Math.sqrt(Math.PI)))],
  // d σ = σ (1 - σ) dx
  sigmoid: (y, dy) => [mul(dy, sub(y, square(y)))],
  // d(x σ) = (σ + xσ (1 - σ)) dx = (xσ + σ (1 - xσ)) dx
  silu: (y, dy) => [mul(dy, add(y, mul(sigmoid(y.inputs[0]!), sub(1, y))))],
  // d(x Φ(x)) = (Φ + x φ) dx = ½ (1 + erf s + 2s/√π e^(-s²)) dx with s = x/√2; the constant goes into the exponent and
  // the half outside, where it costs no pass. Φ is written as `splitGelu` writes it, so that both share it.
  gelu: (y, dy) => {
    const s = mul(y.inputs[0]!, Math.SQRT1_2);
    const density = exp(sub(Math.log(2 / Math.sqrt(Math.PI)), square(s)));
    const twice = add(add(erf(s), 1), mul(s, density));
    return [mul(mul(dy, twice), 0.5)];
  },
  // x · σ(v) with v = a x + b x³: d = σ (1 + x (1 - σ) (a + 3 b x²)) dx
  geluTanh: (y, dy) => {
    const x = y.inputs[0]!;
    const a = 2 * Math.sqrt(2 / Math.PI);
    const b = 0.044715 * a;
    const x2 = square(x);
    const s = sigmoid(mul(x, add(mul(x2, b), a)));
    return [mul(dy, mul(s, add(mul(mul(x, sub(1, s)), add(mul(x2, 3 * b), a)), 1)))];
  },
  relu: (y, dy) => [where(less(0, y.inputs[0]!), dy, 0)],
  // d log(1 + eˣ) = σ(x) dx
  softplus: (y, dy) => [mul(dy, sigmoid(y.inputs[0]!))],
  floor: noGradient,
  ceil: noGradient,
  round: noGradient,
  not: noGradient,
  cast: (y, dy) => [y.inputs[0]!.dtype === 'float32' && y.dtype === 'float32' ? cast(dy, 'float32') : undefined],
  stopGradient: noGradient,
  barrier: (_y, dy) => [dy, undefined],

  add: (y, dy) => ofOperands(y, dy, dy),
  sub: (y, dy) => ofOperands(y, dy, neg(dy)),
  // d(ab) = b da + a db
  mul: (y, dy) => ofOperands(y, mul(dy, y.inputs[1]!), mul(dy, y.inputs[0]!)),
  // d(a/b) = da/b - (a/b) db/b
  div: (y, dy) => {
    const da = div(dy, y.inputs[1]!);
    return ofOperands(y, da, neg(mul(da, y)));
  },
  // d(a - q b) = da - q db with q = trunc(a / b), which is worked out from the remainder: a / b may round up to it
  rem: (y, dy) => {
    const [a, b] = y.inputs as [Tensor, Tensor];
    const quotient = floor(add(div(sub(a, y), b), 0.5));
    return ofOperands(y, dy, neg(mul(dy, quotient)));
  },
  // d aᵇ = b aᵇ⁻¹ da + aᵇ ln a db; the second term is 0 where a is not positive, as in PyTorch at a = 0
  pow: (y, dy) => {
    const [a, b] = y.inputs as [Tensor, Tensor];
    const positive = less(mul(a, 0), a);
    const logA = where(positive, log(where(positive, a, 1)), 0);
    return ofOperands(y, mul(dy, mul(b, pow(a, sub(b, 1)))), mul(dy, mul(y, logA)));
  },
  // Where both are equal each gets half
  maximum: (y, dy) => extremum(y, dy),
  minimum: (y, dy) => extremum(y, dy),
  equal: noGradient,
  less: noGradient,
  lessOrEqual: noGradient,
  and: noGradient,
  or: noGradient,
  bitAnd: noGradient,
  bitOr: noGradient,
  bitXor: noGradient,
  shiftLeft: noGradient,
  shiftRight: noGradient,

  where: (y, dy) => {
    const [condition, a, b] = y.inputs as [Tensor, Tensor, Tensor];
    return [undefined, sumTo(where(condition, dy, 0), a.shape), sumTo(where(condition, 0, dy), b.shape)];
  },
};

/** Undoes the broadcasting of both operands. */
function ofOperands(y: Tensor, da: Tensor, db: Tensor): readonly Tensor[] {
  return [sumTo(da, y.inputs[0]!.shape), sumTo(db, y.inputs[1]!.shape)];
}

function extremum(y: Tensor<'maximum' | 'minimum'>, dy: Tensor): readonly Tensor[] {
  const [a, b] = y.inputs as [Tensor, Tensor];
  const isA = cast(equal(a, y), 'float32');
  const isB = cast(equal(b, y), 'float32');
  const share = div(dy, add(isA, isB));
  return ofOperands(y, mul(share, isA), mul(share, isB));
}
