/** For tests: random small programs over all primitives, with inputs drawn for them. */
import { Random } from '@crucible/foundation';
import { gradient } from '../autodiff/gradient.ts';
import { createHostArray, type HostType } from '../dtype.ts';
import { Graph, type Program } from '../ir/graph.ts';
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { checkpoint, cond, customGradient, scan, whileLoop } from '../library/control.ts';
import { add, addAll, cos, exp, less, mul, sigmoid, sin, square, tanh } from '../library/elementwise.ts';
import { broadcastTo } from '../library/movement.ts';
import { sum } from '../library/reduction.ts';
import { ndArray, type NdArray } from '../nd-array.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { randomQuantized } from './random-quantized.ts';

export interface RandomProgram {
  readonly program: Program;
  readonly feeds: Readonly<Record<string, NdArray>>;
  /** A weighted sum of the float32 outputs, for differentiation. Of programs with gradients alone. */
  readonly loss?: Tensor;
}

export interface RandomProgramOptions {
  /** How many primitives, beside what they need to stay within their domain. Default: 8. */
  readonly size?: number;
  /**
   * Whether the program has gradients as outputs. Primitives with kinks then take inputs alone, whose values are apart:
   * where a rounding error decides between two gradients, both are right. Default: false.
   */
  readonly gradients?: boolean;
}

export function randomProgram(seed: number, { size = 8, gradients = false }: RandomProgramOptions = {}): RandomProgram {
  const builder = new ProgramBuilder(Random.seeded(seed), gradients);
  const names = Object.keys(draws) as Primitive[];
  while (builder.made.length < size) builder.keep(draws[builder.random.pick(names)](builder));
  const outputs = builder.made.slice(-3);
  const { inputs, feeds, random } = builder;
  if (!gradients) return { program: { inputs, outputs }, feeds };
  const floats = outputs.filter(({ dtype }) => dtype === 'float32');
  const weighted = floats.map((output) => {
    const weights = Float32Array.from({ length: sizeOf(output.shape) }, () => random.normal());
    return sum(mul(output, output.graph.constant('float32', output.shape, weights)));
  });
  if (weighted.length === 0) return randomProgram(seed + 1e9, { size, gradients });
  const loss = addAll(weighted);
  const by = gradient(
    loss,
    inputs.filter(({ dtype }) => dtype === 'float32'),
  );
  return { program: { inputs, outputs: [...outputs, ...by] }, feeds, loss };
}

class ProgramBuilder {
  readonly graph = new Graph();
  readonly random: Random;
  readonly inputs: Tensor<'input'>[] = [];
  readonly feeds: Record<string, NdArray> = {};
  /** What has been made, for others to use. */
  readonly made: Tensor[] = [];
  readonly #kinksApart: boolean;

  constructor(random: Random, kinksApart: boolean) {
    this.random = random;
    this.#kinksApart = kinksApart;
  }

  keep(made: Tensor | readonly Tensor[] | undefined): void {
    for (const tensor of made === undefined ? [] : [made].flat()) this.made.push(tensor);
  }

  node<P extends Primitive>(primitive: P, inputs: readonly Tensor[], params: PrimitiveParams[P]): Tensor {
    return this.graph.node(primitive, inputs, params);
  }

  size(): number {
    return this.random.integer(1, 4);
  }

  shape(leastRank = 0): number[] {
    return Array.from({ length: this.random.integer(leastRank, 3) }, () => this.size());
  }

  /** 0 … n - 1 in any order. */
  order(n: number): number[] {
    return this.random.shuffled(Array.from({ length: n }, (_, i) => i));
  }

  axis({ rank }: Tensor): number {
    return this.random.integer(0, rank - 1);
  }

  input(shape: Shape, dtype: HostType, draw: (i: number) => number): Tensor {
    const name = `x${this.inputs.length}`;
    const data = createHostArray(dtype, sizeOf(shape));
    for (let i = 0; i < data.length; i++) data[i] = draw(i);
    this.feeds[name] = { dtype, shape, data };
    const input = this.graph.input(name, shape, dtype);
    this.inputs.push(input);
    return input;
  }

  #existing(isFit: (tensor: Tensor) => boolean): Tensor | undefined {
    const fitting = this.made.filter(isFit);
    return fitting.length > 0 && this.random.boolean(0.8) ? this.random.pick(fitting) : undefined;
  }

  /** Of a shape, or of any of at least a rank. */
  float(shape?: Shape, leastRank = 0): Tensor {
    const fits = (tensor: Tensor): boolean => (shape ? tensor.shape.join() === shape.join() : tensor.rank >= leastRank);
    const found = this.#existing((tensor) => tensor.dtype === 'float32' && fits(tensor));
    if (found) return found;
    const made = shape ?? this.shape(leastRank);
    const draw = (): number => Math.fround((this.random.boolean() ? 1 : -1) * (0.2 + 1.3 * this.random.uniform()));
    switch (this.random.integer(0, 5)) {
      case 0:
        return this.graph.constant('float32', made, Float32Array.from({ length: sizeOf(made) }, draw));
      case 1:
        return broadcastTo(this.graph.scalar(this.random.pick([0, 1, -1, 0.5, 2, draw()])), made);
      default:
        return this.input(made, 'float32', draw);
    }
  }

  /** An input whose elements are far from each other, from whole numbers and from what `offset` else makes. */
  apart(shape: Shape = this.shape(1), offset = 0.3): Tensor {
    const order = this.order(sizeOf(shape));
    return this.input(shape, 'float32', (i) => order[i]! - Math.floor(order.length / 2) + offset);
  }

  /** For a primitive whose derivative jumps. */
  kinked(shape?: Shape): Tensor {
    return this.#kinksApart ? this.apart(shape) : this.float(shape, shape ? 0 : 1);
  }

  int(shape?: Shape, leastRank = 0): Tensor {
    const fits = (tensor: Tensor): boolean => (shape ? tensor.shape.join() === shape.join() : tensor.rank >= leastRank);
    const found = this.#existing((tensor) => tensor.dtype === 'int32' && fits(tensor));
    return found ?? this.input(shape ?? this.shape(leastRank), 'int32', () => this.random.integer(-5, 5));
  }

  below(n: number, shape: Shape): Tensor {
    return this.input(shape, 'int32', () => this.random.integer(0, n - 1));
  }

  bits(shape?: Shape): Tensor {
    const fits = (tensor: Tensor): boolean => shape === undefined || tensor.shape.join() === shape.join();
    const found = this.#existing((tensor) => tensor.dtype === 'uint32' && fits(tensor));
    return found ?? this.input(shape ?? this.shape(), 'uint32', () => Math.floor(this.random.uniform() * 2 ** 32));
  }

  bool(shape?: Shape): Tensor {
    const fits = (tensor: Tensor): boolean => shape === undefined || tensor.shape.join() === shape.join();
    const found = this.#existing((tensor) => tensor.dtype === 'bool' && fits(tensor));
    return found ?? this.input(shape ?? this.shape(), 'bool', () => Number(this.random.boolean()));
  }

  /** Any tensor of at least a rank. */
  any(leastRank = 0): Tensor {
    const kinds = [() => this.float(undefined, leastRank), () => this.int(undefined, leastRank)];
    return this.random.pick(kinds)();
  }

  /** A shape that broadcasts to another. */
  narrower(shape: Shape): number[] {
    const kept = shape.slice(this.random.integer(0, shape.length));
    return kept.map((size) => (this.random.boolean(0.3) ? 1 : size));
  }

  axes({ rank }: Tensor): number[] {
    return Array.from({ length: rank }, (_, axis) => axis).filter(() => this.random.boolean());
  }

  /** A smooth function of tensors of one shape. */
  expression(leaves: readonly Tensor[]): Tensor {
    let value = this.random.pick(leaves);
    for (let i = this.random.integer(1, 4); i > 0; i--) {
      const other = this.random.pick(leaves);
      const steps = [
        () => sin(value),
        () => tanh(value),
        () => sigmoid(value),
        () => mul(value, cos(other)),
        () => add(value, other),
        () => mul(value, 0.5),
      ];
      value = this.random.pick(steps)();
    }
    return value;
  }
}

type Draw = (b: ProgramBuilder) => Tensor | readonly Tensor[] | undefined;

/** The narrowed operand of a function that is defined in part. */
const anywhere = (x: Tensor): Tensor => x;
const inUnit = (x: Tensor): Tensor => mul(sin(x), 0.8);
const positive = (x: Tensor): Tensor => add(square(sin(x)), 0.3);

function unary(primitive: Primitive, within: (x: Tensor) => Tensor): Draw {
  return (b) => b.node(primitive, [within(b.float())], {});
}

function kinkedUnary(primitive: 'abs' | 'relu'): Draw {
  return (b) => b.node(primitive, [b.kinked()], {});
}

function jumping(primitive: 'sign' | 'floor' | 'ceil' | 'round'): Draw {
  return (b) => b.node(primitive, [b.apart()], {});
}

function binary(primitive: Primitive, ofDivisor: (x: Tensor) => Tensor = anywhere): Draw {
  return (b) => {
    const x = b.float();
    const operands = [x, ofDivisor(b.float(b.narrower(x.shape)))];
    return b.node(primitive, b.random.boolean() || ofDivisor !== anywhere ? operands : operands.toReversed(), {});
  };
}

function kinkedBinary(primitive: 'maximum' | 'minimum'): Draw {
  return (b) => {
    const x = b.kinked();
    return b.node(primitive, [x, x.primitive === 'input' ? b.apart(b.narrower(x.shape), 0.7) : b.float(x.shape)], {});
  };
}

function comparison(primitive: 'equal' | 'less' | 'lessOrEqual'): Draw {
  return (b) => {
    if (b.random.boolean()) {
      const x = b.int();
      return b.node(primitive, [x, b.int(b.narrower(x.shape))], {});
    }
    const x = b.apart();
    return b.node(primitive, [x, b.apart(b.narrower(x.shape), 0.7)], {});
  };
}

function logical(primitive: 'and' | 'or'): Draw {
  return (b) => {
    const x = b.bool();
    return b.node(primitive, [x, b.bool(b.narrower(x.shape))], {});
  };
}

function bitwise(primitive: 'bitAnd' | 'bitOr' | 'bitXor'): Draw {
  return (b) => {
    const x = b.bits();
    return b.node(primitive, [x, b.bits(b.narrower(x.shape))], {});
  };
}

function shift(primitive: 'shiftLeft' | 'shiftRight'): Draw {
  return (b) => {
    const x = b.bits();
    const places = b.input(b.narrower(x.shape), 'uint32', () => b.random.integer(0, 31));
    return b.node(primitive, [x, places], {});
  };
}

function reduction(primitive: 'sum' | 'max' | 'min', operand: (b: ProgramBuilder) => Tensor): Draw {
  return (b) => {
    const x = operand(b);
    return b.node(primitive, [x], { axes: b.axes(x), keepDims: b.random.boolean() });
  };
}

function place(primitive: 'argMax' | 'argMin'): Draw {
  return (b) => {
    const x = b.random.boolean() ? b.apart() : b.int(undefined, 1);
    return b.node(primitive, [x], { axis: b.axis(x) });
  };
}

function scatter(primitive: 'scatterAdd' | 'scatterSet'): Draw {
  return (b) => {
    const base = b.float(undefined, 1);
    const rows = base.shape[0]!;
    const order = b.order(rows);
    const count = b.random.integer(1, rows);
    const ids =
      primitive === 'scatterSet' ? b.input([count], 'int32', (i) => order[i]!) : b.below(rows, b.shape().slice(0, 2));
    return b.node(primitive, [base, ids, b.float([...ids.shape, ...base.shape.slice(1)])], {});
  };
}

function along(b: ProgramBuilder, x: Tensor): { ids: Tensor; axis: number } {
  const axis = b.axis(x);
  return { axis, ids: b.below(x.shape[axis]!, x.shape.with(axis, b.size())) };
}

function product(b: ProgramBuilder): { a: Tensor; b: Tensor; params: PrimitiveParams['matmul'] } {
  const [m, k, n] = [b.size(), b.size(), b.size()];
  const [transposeA, transposeB] = [b.random.boolean(0.3), b.random.boolean(0.3)];
  const batch = b.random.boolean() ? [] : b.shape().slice(0, 2);
  const a = b.float([...batch, ...(transposeA ? [k, m] : [m, k])]);
  const right = b.float([...b.narrower(batch), ...(transposeB ? [n, k] : [k, n])]);
  return { a, b: right, params: { transposeA, transposeB, alpha: b.random.pick([1, 1, 0.5, -2]) } };
}

function norm(primitive: 'rmsNorm' | 'layerNorm'): Draw {
  return (b) => {
    const x = b.float(undefined, 1);
    const vector = (): Tensor => b.float(x.shape.slice(-1));
    return b.node(primitive, primitive === 'rmsNorm' ? [x, vector()] : [x, vector(), vector()], { epsilon: 0.1 });
  };
}

/** Of a language model; the last block of rows may be shorter than the others. */
function head(b: ProgramBuilder): { hidden: Tensor; weight: Tensor; targets: Tensor; rows: number } {
  const [count, width, size] = [b.size(), b.size(), b.size()];
  const [hidden, weight] = [b.float([count, width]), b.float([size, width])];
  return { hidden, weight, targets: b.below(size, [count]), rows: b.random.integer(1, count) };
}

function rowStatistic(primitive: 'inverseRms' | 'inverseStd'): Draw {
  return (b) => b.node(primitive, [b.float(undefined, 1)], { epsilon: 0.1 });
}

function windows(b: ProgramBuilder): { x: Tensor; weight: Tensor; params: PrimitiveParams['conv'] } {
  const groups = b.random.integer(1, 2);
  const [batch, perGroup, filters] = [b.random.integer(1, 2), b.random.integer(1, 2), groups * b.random.integer(1, 2)];
  const spatial = Array.from({ length: b.random.integer(1, 2) }, () => b.random.integer(3, 5));
  const each = (low: number, high: number): number[] => spatial.map(() => b.random.integer(low, high));
  return {
    x: b.float([batch, groups * perGroup, ...spatial]),
    weight: b.float([filters, perGroup, ...each(1, 2)]),
    params: { strides: each(1, 2), dilations: each(1, 2), before: each(0, 2), after: each(0, 2), groups },
  };
}

/** How each primitive is applied; one that is missing does not compile. */
const draws: Readonly<Record<Primitive, Draw>> = {
  input: (b) => b.float(),
  constant: (b) => {
    const shape = b.shape();
    return b.graph.constant(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => b.random.normal()),
    );
  },
  range: (b) => b.node('range', [], { length: b.size(), dtype: 'int32' }),
  // Comes with nodes that have several results
  part: () => undefined,

  neg: unary('neg', anywhere),
  abs: kinkedUnary('abs'),
  sign: jumping('sign'),
  exp: unary('exp', sin),
  log: unary('log', positive),
  sqrt: unary('sqrt', positive),
  reciprocal: unary('reciprocal', positive),
  sin: unary('sin', anywhere),
  cos: unary('cos', anywhere),
  tan: unary('tan', inUnit),
  asin: unary('asin', inUnit),
  acos: unary('acos', inUnit),
  atan: unary('atan', anywhere),
  sinh: unary('sinh', sin),
  cosh: unary('cosh', sin),
  tanh: unary('tanh', anywhere),
  asinh: unary('asinh', anywhere),
  acosh: unary('acosh', (x) => add(positive(x), 1)),
  atanh: unary('atanh', inUnit),
  log1p: unary('log1p', inUnit),
  expm1: unary('expm1', sin),
  erf: unary('erf', anywhere),
  sigmoid: unary('sigmoid', anywhere),
  silu: unary('silu', anywhere),
  gelu: unary('gelu', anywhere),
  geluTanh: unary('geluTanh', anywhere),
  relu: kinkedUnary('relu'),
  softplus: unary('softplus', anywhere),
  floor: jumping('floor'),
  ceil: jumping('ceil'),
  round: jumping('round'),
  not: (b) => b.node('not', [b.bool()], {}),
  cast: (b) => {
    const [x, dtype] = b.random.pick([
      () => [b.apart(), 'int32'] as const,
      () => [b.int(), 'float32'] as const,
      () => [b.bool(), 'float32'] as const,
      () => [b.int(), 'bool'] as const,
      () => [b.bits(), 'int32'] as const,
      () => [b.int(), 'uint32'] as const,
    ])();
    return b.node('cast', [x], { dtype });
  },
  stopGradient: (b) => b.node('stopGradient', [b.float()], {}),
  barrier: (b) => b.node('barrier', [b.float(), b.float()], {}),

  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div', positive),
  rem: (b) => {
    const x = b.int();
    return b.node('rem', [x, b.input(b.narrower(x.shape), 'int32', () => b.random.pick([-3, -2, 2, 3, 5]))], {});
  },
  pow: (b) => {
    const x = positive(b.float());
    return b.node('pow', [x, b.float(b.narrower(x.shape))], {});
  },
  maximum: kinkedBinary('maximum'),
  minimum: kinkedBinary('minimum'),
  equal: comparison('equal'),
  less: comparison('less'),
  lessOrEqual: comparison('lessOrEqual'),
  and: logical('and'),
  or: logical('or'),
  bitAnd: bitwise('bitAnd'),
  bitOr: bitwise('bitOr'),
  bitXor: bitwise('bitXor'),
  shiftLeft: shift('shiftLeft'),
  shiftRight: shift('shiftRight'),
  where: (b) => {
    const x = b.float();
    return b.node('where', [b.bool(b.narrower(x.shape)), x, b.float(b.narrower(x.shape))], {});
  },

  sum: reduction('sum', (b) => b.any()),
  max: reduction('max', (b) => b.kinked()),
  min: reduction('min', (b) => b.kinked()),
  logSumExp: (b) => b.node('logSumExp', [b.float(undefined, 1)], {}),
  cumulativeSum: (b) => {
    const x = b.any(1);
    return b.node('cumulativeSum', [x], {
      axis: b.axis(x),
      exclusive: b.random.boolean(),
      reverse: b.random.boolean(),
    });
  },
  argMax: place('argMax'),
  argMin: place('argMin'),

  matmul: (b) => {
    const { a, b: right, params } = product(b);
    return b.node('matmul', [a, right], params);
  },
  matmulAdd: (b) => {
    const [m, k, n] = [b.size(), b.size(), b.size()];
    const params = { transposeA: false, transposeB: false, alpha: b.random.pick([1, 2]) };
    return b.node('matmulAdd', [b.float([m, k]), b.float([k, n]), b.float(b.narrower([m, n]))], params);
  },
  matmulQuantized: (b) => {
    const [m, k, n] = [b.size(), b.size(), b.size()];
    const weight = randomQuantized(b.random, b.random.pick([4, 8]), [n, k]);
    return b.node('matmulQuantized', [b.float([m, k])], { weight, precision: 'float32' });
  },

  reshape: (b) => {
    const x = b.any();
    return b.node('reshape', [x], { shape: b.random.boolean() ? [sizeOf(x.shape)] : [...x.shape, 1].toReversed() });
  },
  transpose: (b) => {
    const x = b.any();
    return b.node('transpose', [x], { permutation: b.order(x.rank) });
  },
  broadcast: (b) => {
    const shape = b.shape();
    return b.node('broadcast', [b.float(b.narrower(shape))], { shape });
  },
  concat: (b) => {
    const x = b.float(undefined, 1);
    const axis = b.axis(x);
    const parts = Array.from({ length: b.random.integer(1, 2) }, () => b.float(x.shape.with(axis, b.size())));
    return b.node('concat', [x, ...parts], { axis });
  },
  slice: (b) => {
    const x = b.any(1);
    const starts = x.shape.map((size) => b.random.integer(0, size - 1));
    const ends = x.shape.map((size, axis) => b.random.integer(starts[axis]! + 1, size));
    return b.node(
      'slice',
      [x],
      b.random.boolean() ? { starts, ends } : { starts, ends, steps: x.shape.map(() => b.random.integer(1, 2)) },
    );
  },
  flip: (b) => {
    const x = b.any(1);
    return b.node('flip', [x], { axes: [b.axis(x)] });
  },
  pad: (b) => {
    const x = b.float(undefined, 1);
    const sides = (): number[] => x.shape.map(() => b.random.pick([0, 0, 1, 2]));
    return b.node('pad', b.random.boolean() ? [x] : [x, b.float([])], { before: sides(), after: sides() });
  },

  gather: (b) => {
    const x = b.any(1);
    const axis = b.axis(x);
    return b.node('gather', [x, b.below(x.shape[axis]!, b.shape().slice(0, 2))], { axis });
  },
  scatterAdd: scatter('scatterAdd'),
  scatterSet: scatter('scatterSet'),
  takeAlong: (b) => {
    const x = b.any(1);
    const { ids, axis } = along(b, x);
    return b.node('takeAlong', [x, ids], { axis });
  },
  scatterAlong: (b) => {
    const x = b.float(undefined, 1);
    const { ids, axis } = along(b, x);
    return b.node('scatterAlong', [x, ids, b.float(ids.shape)], { axis });
  },
  topIndices: (b) => {
    const x = b.random.boolean() ? b.apart() : b.int(undefined, 1);
    const axis = b.axis(x);
    return b.node('topIndices', [x], { axis, k: b.random.integer(1, x.shape[axis]!), largest: b.random.boolean() });
  },

  conv: (b) => {
    const { x, weight, params } = windows(b);
    const bias = b.random.boolean() ? [b.float([weight.shape[0]!])] : [];
    return b.node('conv', [x, weight, ...bias], params);
  },
  convTranspose: (b) => {
    const { x, weight, params } = windows(b);
    const { shape } = b.node('conv', [x, weight], params);
    return b.node('convTranspose', [b.float(shape), weight], { ...params, size: x.shape.slice(2) });
  },

  softmax: (b) => b.node('softmax', [b.float(undefined, 1)], {}),
  rmsNorm: norm('rmsNorm'),
  inverseRms: rowStatistic('inverseRms'),
  layerNorm: norm('layerNorm'),
  inverseStd: rowStatistic('inverseStd'),
  rotary: (b) => {
    const [batch, time, heads, half] = [b.size(), b.size(), b.random.integer(1, 2), b.random.integer(1, 2)];
    const table = (): Tensor =>
      b.graph.constant(
        'float32',
        [4, half],
        Float32Array.from({ length: 4 * half }, () => b.random.normal()),
      );
    return b.node('rotary', [b.float([batch, time, heads * half * 2]), b.below(4, [batch, time]), table(), table()], {
      heads,
    });
  },

  tokenLogProbability: (b) => {
    const { hidden, weight, targets, rows } = head(b);
    return b.node('tokenLogProbability', [hidden, weight, targets], { rows });
  },
  tokenLogProbabilityGradient: (b) => {
    const { hidden, weight, targets, rows } = head(b);
    const by = b.random.pick(['hidden', 'weight'] as const);
    return b.node('tokenLogProbabilityGradient', [hidden, weight, targets, b.float([hidden.shape[0]!])], { by, rows });
  },
  // Of numbers that are far from each other: a rounding error decides between equal ones.
  likeliestToken: (b) => {
    const size = b.size();
    const count = b.size();
    const one = b.graph.constant('float32', [count, 1], new Float32Array(count).fill(1));
    return b.node('likeliestToken', [one, b.apart([size, 1])], { rows: b.random.integer(1, 4) });
  },

  scan: (b) => {
    const x = b.float(undefined, 1);
    const shape = x.shape.slice(1);
    const [carry, around] = [b.float(shape), b.float(shape)];
    const { carry: last, outputs } = scan(
      (state: Tensor, element: Tensor) => {
        const next = b.expression([state, element, around]);
        return { carry: next, output: b.expression([next, state, element]) };
      },
      carry,
      x,
      { reverse: b.random.boolean(), recompute: b.random.boolean() },
    );
    return [last, outputs];
  },
  whileLoop: (b) => {
    const limit = b.below(5, []);
    const start = b.node('constant', [], { value: ndArray('int32', [], Int32Array.of(0)) });
    // It has no gradient: what it starts from passes none on.
    const h = b.node('stopGradient', [b.float()], {});
    const done = whileLoop(
      ({ i }) => less(i, limit),
      ({ i, h: state }) => ({ i: add(i, 1), h: b.expression([state]) }),
      { i: start, h },
    );
    return b.node('stopGradient', [done.h], {});
  },
  branch: (b) => {
    const x = b.float();
    const other = b.float(x.shape);
    return cond(
      b.bool([]),
      () => b.expression([x, other]),
      () => b.expression([x]),
    );
  },
  checkpoint: (b) => {
    const x = b.float();
    const around = b.float(x.shape);
    return checkpoint((h: Tensor) => b.expression([h, around]))(x);
  },
  customGradient: (b) => {
    const own = customGradient(
      (x: Tensor) => exp(sin(x)),
      (dy, { operands, results }) => mul(dy, mul(results, cos(operands))),
    );
    return own(b.float());
  },
};
