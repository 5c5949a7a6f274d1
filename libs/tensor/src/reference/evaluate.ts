/**
 * Every primitive in plain loops, one element at a time: the independent reference that tests compare with, and what
 * folds small constants at compile time. Slow by intention; intermediate sums are in float64.
 */
import { createHostArray, type DType, type HostArray } from '../dtype.ts';
import type { Program } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/graph.ts';
import type { Primitive, PrimitiveParams } from '../ir/primitive.ts';
import { isPrimitive, type Tensor, type TensorType } from '../ir/tensor.ts';
import { type Shape, sizeOf, stridesOf } from '../shape.ts';

/** Like NdArray, but float32 tensors may be held in float64. */
export interface ReferenceArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: HostArray | Float64Array;
}

/** Runs a program with every float in float64; `feeds` by input name. */
export function evaluate(program: Program, feeds: Readonly<Record<string, ReferenceArray>>): ReferenceArray[] {
  const values = new Map<Tensor, ReferenceArray>();
  for (const tensor of topologicalOrder(program.outputs)) {
    if (isPrimitive(tensor, 'input')) {
      const fed = feeds[tensor.params.name];
      if (!fed) throw new Error(`internal: evaluate: ${tensor.params.name} is not fed`);
      values.set(tensor, fed);
    } else {
      const inputs = tensor.inputs.map((input) => values.get(input)!);
      const data = tensor.dtype === 'float32' ? new Float64Array(sizeOf(tensor.shape)) : undefined;
      values.set(tensor, evaluatePrimitive(tensor.primitive, inputs, tensor.params, tensor, data));
    }
  }
  return program.outputs.map((output) => values.get(output)!);
}

/** Applies one primitive, writing into `data` (by default an array of the result's dtype). */
export function evaluatePrimitive<P extends Primitive>(
  primitive: P,
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
  type: TensorType,
  data: HostArray | Float64Array = createHostArray(type.dtype, sizeOf(type.shape)),
): ReferenceArray {
  const result: ReferenceArray = { dtype: type.dtype, shape: type.shape, data };
  referenceRules[primitive](result, inputs, params);
  return result;
}

type ReferenceRule<P extends Primitive> = (
  result: ReferenceArray,
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
) => void;

const referenceRules: { readonly [P in Primitive]: ReferenceRule<P> } = {
  input: () => {
    throw new Error('internal: an input has no rule');
  },
  constant: (y, _inputs, { value }) => y.data.set(value.data),

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

  sum: (y, [x], { axes }) => reduce(y, x!, axes, 0, (sum, value) => sum + value),
  max: (y, [x], { axes }) => reduce(y, x!, axes, -Infinity, Math.max),
  logSumExp: (y, [x]) => rows(x!, (row, r) => (y.data[r] = logSumExpOf(row))),
  cumulativeSum: (y, [x], { reverse }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      let running = 0;
      for (let j = 0; j < size; j++) {
        const at = reverse ? size - 1 - j : j;
        y.data[r * size + at] = running += row[at]!;
      }
    });
  },
  argMax: (y, [x]) => rows(x!, (row, r) => (y.data[r] = row.indexOf(row.reduce((a, b) => Math.max(a, b))))),

  matmul: (y, [a, b], params) => multiplyMatrices(y, a!, b!, params),
  matmulAdd: (y, [a, b, c], params) => {
    multiplyMatrices(y, a!, b!, params);
    const read = broadcastReader(c!, y.shape);
    y.data.forEach((value, i) => (y.data[i] = value + read(i)));
  },

  reshape: (y, [x]) => y.data.set(x!.data),
  transpose: (y, [x], { permutation }) => {
    const strides = stridesOf(x!.shape);
    forEachIndex(y.shape, (index, i) => {
      y.data[i] = x!.data[index.reduce((at, step, axis) => at + step * strides[permutation[axis]!]!, 0)]!;
    });
  },
  broadcast: (y, [x]) => {
    const read = broadcastReader(x!, y.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = read(i);
  },
  concat: (y, inputs, { axis }) => {
    const strides = stridesOf(y.shape);
    let start = 0;
    for (const input of inputs) {
      forEachIndex(input.shape, (index, i) => {
        y.data[index.reduce((at, step, a) => at + (a === axis ? step + start : step) * strides[a]!, 0)] =
          input.data[i]!;
      });
      start += input.shape[axis]!;
    }
  },
  slice: (y, [x], { starts }) => {
    const strides = stridesOf(x!.shape);
    forEachIndex(y.shape, (index, i) => {
      y.data[i] = x!.data[index.reduce((at, step, axis) => at + (step + starts[axis]!) * strides[axis]!, 0)]!;
    });
  },
  pad: (y, [x], { before }) => {
    const strides = stridesOf(y.shape);
    forEachIndex(x!.shape, (index, i) => {
      y.data[index.reduce((at, step, axis) => at + (step + before[axis]!) * strides[axis]!, 0)] = x!.data[i]!;
    });
  },

  gather: (y, [table, ids]) => {
    const width = sizeOf(table!.shape.slice(1));
    ids!.data.forEach((id, i) => y.data.set(table!.data.subarray(id * width, (id + 1) * width), i * width));
  },
  scatterAdd: (y, [base, ids, updates]) => {
    const width = sizeOf(base!.shape.slice(1));
    y.data.set(base!.data);
    updates!.data.forEach((value, i) => (y.data[ids!.data[Math.floor(i / width)]! * width + (i % width)]! += value));
  },
  takeAlong: (y, [x, ids]) => {
    const [size, picked] = [lastSize(x!), lastSize(ids!)];
    ids!.data.forEach((id, i) => (y.data[i] = x!.data[Math.floor(i / picked) * size + id]!));
  },
  scatterAlong: (y, [base, ids, updates]) => {
    const [size, picked] = [lastSize(base!), lastSize(ids!)];
    y.data.set(base!.data);
    ids!.data.forEach((id, i) => (y.data[Math.floor(i / picked) * size + id]! += updates!.data[i]!));
  },

  softmax: (y, [x]) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const total = logSumExpOf(row);
      row.forEach((value, j) => (y.data[r * size + j] = Math.exp(value - total)));
    });
  },
  rmsNorm: (y, [x, weight], { epsilon }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const inverse = 1 / Math.sqrt(meanOf(row.map((value) => value * value)) + epsilon);
      row.forEach((value, j) => (y.data[r * size + j] = value * inverse * weight!.data[j]!));
    });
  },
  inverseRms: (y, [x], { epsilon }) => {
    rows(x!, (row, r) => (y.data[r] = 1 / Math.sqrt(meanOf(row.map((value) => value * value)) + epsilon)));
  },
  layerNorm: (y, [x, weight, bias], { epsilon }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const inverse = inverseStdOf(row, epsilon);
      const mean = meanOf(row);
      row.forEach((value, j) => (y.data[r * size + j] = (value - mean) * inverse * weight!.data[j]! + bias!.data[j]!));
    });
  },
  inverseStd: (y, [x], { epsilon }) => rows(x!, (row, r) => (y.data[r] = inverseStdOf(row, epsilon))),
  rotary: (y, [x, positions, cos, sin], { heads }) => {
    const [batch, time, width] = x!.shape as [number, number, number];
    const size = width / heads;
    const half = size / 2;
    forEachIndex([batch, time, heads, half], ([b, t, head, j]) => {
      const first = (b! * time + t!) * width + head! * size + j!;
      const angle = positions!.data[b! * time + t!]! * half + j!;
      const [c, s] = [cos!.data[angle]!, sin!.data[angle]!];
      const [left, right] = [x!.data[first]!, x!.data[first + half]!];
      y.data[first] = left * c - right * s;
      y.data[first + half] = right * c + left * s;
    });
  },
};

function multiplyMatrices(
  y: ReferenceArray,
  a: ReferenceArray,
  b: ReferenceArray,
  { transposeA, transposeB, alpha }: PrimitiveParams['matmul'],
): void {
  const [m, n] = y.shape.slice(-2) as [number, number];
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const batch = y.shape.slice(0, -2);
  const matrixOf = (x: ReferenceArray): ((i: number) => number) => {
    const matrices = {
      ...x,
      shape: x.shape.slice(0, -2),
      data: indices(sizeOf(x.shape.slice(0, -2))),
    } as ReferenceArray;
    return broadcastReader(matrices, batch);
  };
  const [matrixA, matrixB] = [matrixOf(a), matrixOf(b)];
  for (let i = 0; i < sizeOf(batch); i++) {
    const [baseA, baseB] = [matrixA(i) * m * k, matrixB(i) * k * n];
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let total = 0;
        for (let j = 0; j < k; j++) {
          const left = a.data[baseA + (transposeA ? j * m + row : row * k + j)]!;
          total += left * b.data[baseB + (transposeB ? column * k + j : j * n + column)]!;
        }
        y.data[(i * m + row) * n + column] = alpha * total;
      }
    }
  }
}

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

/** Reads element i of `x` as if it had been broadcast to `shape`. */
function broadcastReader(x: ReferenceArray, shape: Shape): (i: number) => number {
  const lead = shape.length - x.shape.length;
  const strides = stridesOf(x.shape);
  const outer = stridesOf(shape);
  return (i) => {
    let at = 0;
    for (let axis = lead; axis < shape.length; axis++) {
      if (x.shape[axis - lead] !== 1) at += (Math.floor(i / outer[axis]!) % shape[axis]!) * strides[axis - lead]!;
    }
    return x.data[at]!;
  };
}

function forEachIndex(shape: Shape, visit: (index: readonly number[], i: number) => void): void {
  const strides = stridesOf(shape);
  for (let i = 0; i < sizeOf(shape); i++) {
    visit(
      shape.map((size, axis) => Math.floor(i / strides[axis]!) % size),
      i,
    );
  }
}

function reduce(
  y: ReferenceArray,
  x: ReferenceArray,
  axes: readonly number[],
  initial: number,
  combine: (a: number, b: number) => number,
): void {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const strides = stridesOf(kept);
  const totals = new Float64Array(y.data.length).fill(initial);
  forEachIndex(x.shape, (index, i) => {
    const at = index.reduce((sum, step, axis) => sum + (axes.includes(axis) ? 0 : step * strides[axis]!), 0);
    totals[at] = combine(totals[at]!, x.data[i]!);
  });
  y.data.set(totals);
}

function rows(x: ReferenceArray, visit: (row: Float64Array, r: number) => void): void {
  const size = lastSize(x);
  for (let r = 0; r < x.data.length / size; r++) visit(Float64Array.from(x.data.subarray(r * size, (r + 1) * size)), r);
}

function lastSize(x: ReferenceArray): number {
  return x.shape.at(-1)!;
}

function indices(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

function meanOf(row: Float64Array): number {
  return row.reduce((a, b) => a + b, 0) / row.length;
}

function inverseStdOf(row: Float64Array, epsilon: number): number {
  const mean = meanOf(row);
  return 1 / Math.sqrt(meanOf(row.map((value) => (value - mean) ** 2)) + epsilon);
}

function logSumExpOf(row: Float64Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The error function, by its Maclaurin series near 0 and the continued fraction of erfc beyond; about 1e-15. */
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
