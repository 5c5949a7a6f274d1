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
  tanh: each(Math.tanh),
  erf: each(erf),
  sigmoid: each(sigmoid),
  silu: each((x) => x * sigmoid(x)),
  gelu: each((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  not: each((x) => (x === 0 ? 1 : 0)),
  // Storing in an Int32Array truncates towards zero
  cast: (y, [x]) => x!.data.forEach((value, i) => (y.data[i] = y.dtype === 'bool' ? Number(value !== 0) : value)),
  stopGradient: each((x) => x),

  add: pairs((a, b) => a + b),
  sub: pairs((a, b) => a - b),
  mul: pairs((a, b) => a * b),
  div: (y, inputs) => pairs((a, b) => (y.dtype === 'int32' ? Math.trunc(a / b) : a / b))(y, inputs),
  pow: pairs(Math.pow),
  maximum: pairs(Math.max),
  minimum: pairs(Math.min),
  equal: pairs((a, b) => Number(a === b)),
  less: pairs((a, b) => Number(a < b)),
  lessOrEqual: pairs((a, b) => Number(a <= b)),
  and: pairs((a, b) => a & b),
  or: pairs((a, b) => a | b),
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

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 3) {
    let term = size;
    let total = size;
    for (let n = 1; Math.abs(term) > 1e-17 * total; n++) {
      term *= (-size * size) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * (size + fraction)));
}
