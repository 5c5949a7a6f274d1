import { erf } from '../../erf.ts';
import type { ElementwiseParams } from '../../ir/primitive.ts';
import { broadcastReader, type ReferenceArray, type ReferenceRules } from './rule.ts';

export const elementwiseReference: ReferenceRules<keyof ElementwiseParams> = {
  neg: each((x) => -x),
  abs: each(Math.abs),
  sign: each(Math.sign),
  exp: each(Math.exp),
  log: each(Math.log),
  sqrt: each(Math.sqrt),
  reciprocal: each((x) => 1 / x),
  sin: each(Math.sin),
  cos: each(Math.cos),
  tan: each(Math.tan),
  asin: each(Math.asin),
  acos: each(Math.acos),
  atan: each(Math.atan),
  sinh: each(Math.sinh),
  cosh: each(Math.cosh),
  tanh: each(Math.tanh),
  asinh: each(Math.asinh),
  acosh: each(Math.acosh),
  atanh: each(Math.atanh),
  log1p: each(Math.log1p),
  expm1: each(Math.expm1),
  erf: each(erf),
  sigmoid: each(sigmoid),
  silu: each((x) => x * sigmoid(x)),
  gelu: each((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  geluTanh: each((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  relu: each((x) => Math.max(x, 0)),
  softplus: each((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  floor: each(Math.floor),
  ceil: each(Math.ceil),
  round: each(roundToEven),
  not: each((x) => (x === 0 ? 1 : 0)),
  // Storing in an Int32Array truncates towards zero
  cast: (y, [x]) => x!.data.forEach((value, i) => (y.data[i] = y.dtype === 'bool' ? Number(value !== 0) : value)),
  stopGradient: each((x) => x),
  barrier: each((x) => x),

  add: pairs((a, b) => a + b),
  sub: pairs((a, b) => a - b),
  // A product of integers keeps its low 32 bits; a number holds 53.
  mul: (y, inputs) => pairs(isInteger(y) ? Math.imul : (a, b) => a * b)(y, inputs),
  div: (y, inputs) => pairs((a, b) => (isInteger(y) ? Math.trunc(a / b) : a / b))(y, inputs),
  rem: pairs((a, b) => a % b),
  pow: pairs(Math.pow),
  maximum: pairs(Math.max),
  minimum: pairs(Math.min),
  equal: pairs((a, b) => Number(a === b)),
  less: pairs((a, b) => Number(a < b)),
  lessOrEqual: pairs((a, b) => Number(a <= b)),
  and: pairs((a, b) => a & b),
  or: pairs((a, b) => a | b),
  bitAnd: pairs((a, b) => a & b),
  bitOr: pairs((a, b) => a | b),
  bitXor: pairs((a, b) => a ^ b),
  shiftLeft: pairs((a, b) => a << b),
  shiftRight: pairs((a, b) => a >>> b),
  where: (y, [condition, a, b]) => {
    const readers = [condition!, a!, b!].map((input) => broadcastReader(input, y.shape));
    for (let i = 0; i < y.data.length; i++) y.data[i] = readers[0]!(i) === 0 ? readers[2]!(i) : readers[1]!(i);
  },
};

function each(apply: (x: number) => number): (y: ReferenceArray, inputs: readonly ReferenceArray[]) => void {
  return (y, [x]) => x!.data.forEach((value, i) => (y.data[i] = apply(value)));
}

function pairs(
  apply: (a: number, b: number) => number,
): (y: ReferenceArray, inputs: readonly ReferenceArray[]) => void {
  return (y, [a, b]) => {
    const readA = broadcastReader(a!, y.shape);
    const readB = broadcastReader(b!, y.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = apply(readA(i), readB(i));
  };
}

function isInteger({ dtype }: ReferenceArray): boolean {
  return dtype === 'int32' || dtype === 'uint32';
}

function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
