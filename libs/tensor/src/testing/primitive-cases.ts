/** For tests: every primitive with operands to try it on, drawn at random. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Random } from '@crucible/foundation';
import type { DType } from '../dtype.ts';
import { Graph, type Program } from '../ir/graph.ts';
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { ModelProtoSchema } from '../lower/generated/onnx_pb.ts';
import { lowerProgram } from '../lower/lower.ts';
import { ndArray, type NdArray } from '../nd-array.ts';
import { Session } from '../runtime/session.ts';
import { type Shape, sizeOf } from '../shape.ts';

export interface Operand {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Draws an element; default: uniform in -2 … 2. */
  readonly draw?: (random: Random, i: number) => number;
}

export interface Case<P extends Primitive> {
  readonly params: PrimitiveParams[P];
  readonly operands: readonly Operand[];
}

export interface Row<P extends Primitive> {
  readonly cases: readonly Case<P>[];
  /** Which operands have a gradient; default: none. */
  readonly differentiable?: readonly number[];
  /** Differentiates twice. */
  readonly smooth?: boolean;
}

const uniform = (low: number, high: number) => (random: Random) => low + (high - low) * random.uniform();
const below = (n: number) => (random: Random) => random.integer(0, n - 1);
/** Away from 0, where a derivative jumps. */
const notZero = (random: Random): number => (random.boolean() ? 1 : -1) * (0.3 + 2 * random.uniform());
const coin = (random: Random): number => Number(random.boolean());

const x: Operand = { shape: [2, 3] };
const positive: Operand = { shape: [2, 3], draw: uniform(0.2, 3) };
const ids = (shape: Shape, n: number): Operand => ({ shape, dtype: 'int32', draw: below(n) });
const bools = (shape: Shape): Operand => ({ shape, dtype: 'bool', draw: coin });
const wholes = (shape: Shape): Operand => ({ shape, dtype: 'int32', draw: (random) => random.integer(1, 5) });

/** For primitives without parameters. */
const none = {} as never;

function unary<P extends Primitive>(operand: Operand, differentiable = true): Row<P> {
  const cases = [{ params: none, operands: [operand] }];
  return differentiable ? { cases, differentiable: [0], smooth: true } : { cases };
}

function binary<P extends Primitive>(a: Partial<Operand> = {}, b: Partial<Operand> = {}): Row<P> {
  const pairs: readonly (readonly [Shape, Shape])[] = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [
      [2, 1, 3],
      [4, 1],
    ],
    [[], [2, 2]],
  ];
  const cases = pairs.map(([left, right]) => {
    return {
      params: none,
      operands: [
        { ...a, shape: left },
        { ...b, shape: right },
      ],
    };
  });
  return { cases, differentiable: [0, 1], smooth: true };
}

function comparison<P extends Primitive>(dtype: DType, draw: (random: Random) => number): Row<P> {
  const operand = { shape: [3, 4], dtype, draw };
  return { cases: [{ params: none, operands: [operand, operand] }] };
}

const product = { transposeA: false, transposeB: false, alpha: 1 };

/** Every primitive; one that is missing does not compile. */
export const primitiveCases: { readonly [P in Primitive]: Row<P> } = {
  input: { cases: [] },
  constant: { cases: [{ params: { value: ndArray('float32', [3], Float32Array.of(1, -2, 0.5)) }, operands: [] }] },

  neg: unary(x),
  abs: { ...unary({ ...x, draw: notZero }), smooth: false },
  sign: unary(x, false),
  exp: unary(x),
  log: unary(positive),
  sqrt: unary(positive),
  reciprocal: unary({ ...x, draw: notZero }),
  sin: unary(x),
  cos: unary(x),
  tanh: unary(x),
  erf: unary(x),
  sigmoid: unary(x),
  silu: unary(x),
  gelu: unary(x),
  not: unary(bools([5]), false),
  cast: {
    cases: [
      { params: { dtype: 'int32' }, operands: [x] },
      { params: { dtype: 'float32' }, operands: [bools([4])] },
      { params: { dtype: 'bool' }, operands: [wholes([4])] },
    ],
  },
  stopGradient: unary(x, false),

  add: binary(),
  sub: binary(),
  mul: binary(),
  div: binary({}, { draw: notZero }),
  pow: binary({ draw: uniform(0.3, 2) }),
  maximum: { ...binary(), smooth: false },
  minimum: { ...binary(), smooth: false },
  equal: comparison('int32', below(2)),
  less: comparison('float32', uniform(-1, 1)),
  lessOrEqual: comparison('int32', below(3)),
  and: comparison('bool', coin),
  or: comparison('bool', coin),
  where: {
    cases: [
      { params: {}, operands: [bools([2, 3]), x, { shape: [3] }] },
      { params: {}, operands: [bools([2, 1]), { shape: [] }, x] },
    ],
    differentiable: [1, 2],
    smooth: true,
  },

  sum: {
    cases: [
      { params: { axes: [0, 1], keepDims: false }, operands: [x] },
      { params: { axes: [1], keepDims: true }, operands: [{ shape: [2, 3, 2] }] },
      { params: { axes: [0, 2], keepDims: false }, operands: [{ shape: [2, 3, 2] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  max: {
    cases: [
      { params: { axes: [1], keepDims: true }, operands: [{ shape: [2, 4] }] },
      { params: { axes: [0, 1], keepDims: false }, operands: [x] },
    ],
    differentiable: [0],
  },
  logSumExp: {
    cases: [{ params: {}, operands: [{ shape: [2, 5], draw: uniform(-30, 30) }] }],
    differentiable: [0],
    smooth: true,
  },
  cumulativeSum: {
    cases: [
      { params: { reverse: false }, operands: [{ shape: [2, 4] }] },
      { params: { reverse: true }, operands: [{ shape: [2, 4] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  argMax: { cases: [{ params: {}, operands: [{ shape: [4, 7] }] }] },

  matmul: {
    cases: [
      { params: product, operands: [{ shape: [2, 3] }, { shape: [3, 4] }] },
      { params: { ...product, transposeA: true, alpha: 0.5 }, operands: [{ shape: [3, 2] }, { shape: [3, 4] }] },
      { params: { ...product, transposeB: true }, operands: [{ shape: [2, 3] }, { shape: [4, 3] }] },
      { params: { ...product, transposeA: true, transposeB: true }, operands: [{ shape: [3, 2] }, { shape: [4, 3] }] },
      {
        params: { ...product, transposeB: true, alpha: 2 },
        operands: [{ shape: [2, 2, 3, 2] }, { shape: [2, 2, 3, 2] }],
      },
      { params: { ...product, transposeA: true }, operands: [{ shape: [2, 3, 4] }, { shape: [2, 3, 2] }] },
      { params: product, operands: [{ shape: [2, 1, 2, 3] }, { shape: [2, 3, 2] }] },
      { params: product, operands: [{ shape: [3, 2, 2] }, { shape: [2, 3] }] },
    ],
    differentiable: [0, 1],
    smooth: true,
  },
  matmulAdd: {
    cases: [
      { params: product, operands: [{ shape: [2, 3] }, { shape: [3, 4] }, { shape: [4] }] },
      {
        params: { transposeA: true, transposeB: true, alpha: 3 },
        operands: [{ shape: [3, 2] }, { shape: [4, 3] }, { shape: [2, 4] }],
      },
    ],
    differentiable: [0, 1, 2],
    smooth: true,
  },

  reshape: { cases: [{ params: { shape: [3, 2] }, operands: [x] }], differentiable: [0], smooth: true },
  transpose: {
    cases: [
      { params: { permutation: [1, 0] }, operands: [x] },
      { params: { permutation: [2, 0, 1] }, operands: [{ shape: [2, 3, 4] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  broadcast: {
    cases: [
      { params: { shape: [4, 2, 3] }, operands: [x] },
      { params: { shape: [2, 3] }, operands: [{ shape: [2, 1] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
  concat: {
    cases: [{ params: { axis: 1 }, operands: [x, { shape: [2, 1] }, { shape: [2, 2] }] }],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  slice: {
    cases: [{ params: { starts: [0, 1], ends: [1, 3] }, operands: [{ shape: [2, 4] }] }],
    differentiable: [0],
    smooth: true,
  },
  pad: { cases: [{ params: { before: [1, 0], after: [0, 2] }, operands: [x] }], differentiable: [0], smooth: true },

  gather: {
    cases: [
      { params: {}, operands: [{ shape: [4, 3] }, ids([2, 5], 4)] },
      { params: {}, operands: [{ shape: [4] }, ids([3], 4)] },
    ],
    differentiable: [0],
    smooth: true,
  },
  scatterAdd: {
    cases: [{ params: {}, operands: [{ shape: [4, 3] }, ids([2, 5], 4), { shape: [2, 5, 3] }] }],
    differentiable: [0, 2],
    smooth: true,
  },
  takeAlong: {
    cases: [{ params: {}, operands: [{ shape: [3, 4] }, ids([3, 2], 4)] }],
    differentiable: [0],
    smooth: true,
  },
  scatterAlong: {
    cases: [{ params: {}, operands: [{ shape: [3, 4] }, ids([3, 2], 4), { shape: [3, 2] }] }],
    differentiable: [0, 2],
    smooth: true,
  },

  softmax: { cases: [{ params: {}, operands: [{ shape: [2, 3, 4] }] }], differentiable: [0], smooth: true },
  rmsNorm: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [2, 3, 4] }, { shape: [4] }] }],
    differentiable: [0, 1],
    smooth: true,
  },
  inverseRms: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [3, 4] }] }],
    differentiable: [0],
    smooth: true,
  },
  layerNorm: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [2, 3, 4] }, { shape: [4] }, { shape: [4] }] }],
    differentiable: [0, 1, 2],
    smooth: true,
  },
  inverseStd: {
    cases: [{ params: { epsilon: 1e-3 }, operands: [{ shape: [3, 4] }] }],
    differentiable: [0],
    smooth: true,
  },
  rotary: {
    cases: [
      { params: { heads: 2 }, operands: [{ shape: [2, 3, 8] }, ids([2, 3], 5), { shape: [5, 2] }, { shape: [5, 2] }] },
    ],
    differentiable: [0],
    smooth: true,
  },
};

function drawOperand({ shape, dtype = 'float32', draw = uniform(-2, 2) }: Operand, random: Random): NdArray {
  const values = Array.from({ length: sizeOf(shape) }, (_, i) => draw(random, i));
  if (dtype === 'float32') return ndArray(dtype, shape, Float32Array.from(values));
  return dtype === 'int32'
    ? ndArray(dtype, shape, Int32Array.from(values))
    : ndArray(dtype, shape, Uint8Array.from(values));
}

export interface TracedCase {
  readonly inputs: Tensor<'input'>[];
  readonly y: Tensor;
  readonly feeds: Record<string, NdArray>;
}

/** A program of one node, with inputs drawn for it. */
export function traceCase<P extends Primitive>(
  primitive: P,
  { params, operands }: Case<P>,
  random: Random,
): TracedCase {
  const graph = new Graph();
  const feeds: Record<string, NdArray> = {};
  const inputs = operands.map((operand, i) => {
    const name = `x${i}`;
    feeds[name] = drawOperand(operand, random);
    return graph.input(name, operand.shape, operand.dtype ?? 'float32') as Tensor<'input'>;
  });
  return { inputs, y: graph.node(primitive, inputs, params), feeds };
}

/** The ONNX operators of a program as it is lowered, in their order; those of Microsoft's domain have a star. */
export function operatorsOf(program: Program): string[] {
  const { node } = fromBinary(ModelProtoSchema, lowerProgram(program).model).graph!;
  return node.map(({ opType, domain }) => (domain === '' ? opType : `${opType}*`));
}

export async function runOnOnnx(program: Program, feeds: Record<string, NdArray>): Promise<NdArray[]> {
  const lowered = lowerProgram(program);
  const session = await Session.create(lowered.model, { threads: 1 });
  try {
    return await session.run(feeds, lowered.outputs);
  } finally {
    await session.dispose();
  }
}
