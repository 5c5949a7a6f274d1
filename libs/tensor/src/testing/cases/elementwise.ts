import type { ElementwiseParams } from '../../ir/primitive.ts';
import {
  anyBits,
  below,
  binary,
  bools,
  type Cases,
  coin,
  comparison,
  none,
  notZero,
  positive,
  unary,
  uniform,
  wholes,
  withIntegers,
  x,
} from './row.ts';

const largest = 2 ** 31 - 1;

/** Integers whose sums, differences and products keep their low 32 bits alone. */
const wrapping = [
  {
    dtype: 'int32',
    values: [
      [largest, -largest, 46341, 0x12345678],
      [1, 2, 46341, 0x76543210],
    ],
  },
  {
    dtype: 'uint32',
    values: [
      [2 ** 32 - 1, 0, 65536, 0x12345678],
      [1, 1, 65536, 0xfedcba98],
    ],
  },
] as const;

/** Towards zero, with remainders of the sign of the first. */
const quotients = [
  {
    dtype: 'int32',
    values: [
      [7, -7, 7, -7, -largest],
      [2, 2, -2, -2, 10],
    ],
  },
  {
    dtype: 'uint32',
    values: [
      [7, 2 ** 32 - 1, 5],
      [2, 10, 7],
    ],
  },
] as const;

const shift = {
  cases: [
    {
      params: none,
      operands: [
        { shape: [3, 4], dtype: 'uint32', draw: anyBits },
        { shape: [4], dtype: 'uint32', draw: below(32) },
      ],
    },
  ],
} as const;

export const elementwiseCases: Cases<keyof ElementwiseParams> = {
  neg: unary(x),
  abs: unary({ ...x, draw: notZero }),
  sign: unary(x, false),
  exp: unary(x),
  log: unary(positive),
  sqrt: unary(positive),
  reciprocal: unary({ ...x, draw: notZero }),
  sin: unary(x),
  cos: unary(x),
  tan: unary({ ...x, draw: uniform(-1.2, 1.2) }),
  asin: unary({ ...x, draw: uniform(-0.8, 0.8) }),
  acos: unary({ ...x, draw: uniform(-0.8, 0.8) }),
  atan: unary(x),
  sinh: unary(x),
  cosh: unary(x),
  tanh: unary(x),
  asinh: unary(x),
  acosh: unary({ ...x, draw: uniform(1.2, 4) }),
  atanh: unary({ ...x, draw: uniform(-0.8, 0.8) }),
  log1p: unary({ ...x, draw: uniform(-0.9, 4) }),
  expm1: unary(x),
  erf: unary(x),
  sigmoid: unary(x),
  silu: unary(x),
  gelu: unary(x),
  geluTanh: unary(x),
  relu: unary({ ...x, draw: notZero }),
  softplus: unary({ ...x, draw: uniform(-9, 9) }),
  floor: unary(x, false),
  ceil: unary(x, false),
  round: unary(x, false),
  not: unary(bools([5]), false),
  cast: {
    cases: [
      { params: { dtype: 'int32' }, operands: [x] },
      { params: { dtype: 'float32' }, operands: [bools([4])] },
      { params: { dtype: 'bool' }, operands: [wholes([4])] },
    ],
  },
  barrier: {
    cases: [{ params: none, operands: [x, { shape: [2] }] }],
    differentiable: [0],
    smooth: true,
  },
  stopGradient: { ...unary(x, false), withoutGradient: [0] },

  add: withIntegers(binary(), wrapping),
  sub: withIntegers(binary(), wrapping),
  mul: withIntegers(binary(), wrapping),
  div: withIntegers(binary({}, { draw: notZero }), quotients),
  // Away from whole quotients, where it jumps
  rem: withIntegers(
    binary({ draw: (random) => 2 * random.integer(-3, 3) + 0.2 + 0.6 * random.uniform() }, { draw: uniform(1.9, 2) }),
    quotients,
  ),
  pow: binary({ draw: uniform(0.3, 2) }),
  maximum: binary(),
  minimum: binary(),
  equal: comparison('int32', below(2)),
  less: comparison('float32', uniform(-1, 1)),
  lessOrEqual: comparison('int32', below(3)),
  and: comparison('bool', coin),
  or: comparison('bool', coin),
  bitAnd: comparison('uint32', anyBits),
  bitOr: comparison('uint32', anyBits),
  bitXor: comparison('uint32', anyBits),
  shiftLeft: shift,
  shiftRight: shift,
  where: {
    cases: [
      { params: {}, operands: [bools([2, 3]), x, { shape: [3] }] },
      { params: {}, operands: [bools([2, 1]), { shape: [] }, x] },
    ],
    differentiable: [1, 2],
    smooth: true,
  },
};
