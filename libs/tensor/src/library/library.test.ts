/** The library of functions against PyTorch: values and gradients, by the reference and by ONNX Runtime. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { createHostArray, type HostType } from '../dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { runOnOnnx } from '../testing/primitive-cases.ts';
import { trace } from '../trace/compile.ts';
import { averagePool, conv, convTranspose, maxPool } from './convolution.ts';
import { einsum } from './einsum.ts';
import {
  elu,
  floorDivide,
  geluTanh,
  leakyRelu,
  logSigmoid,
  mod,
  mul,
  relu,
  softplus,
  stopGradient,
  trunc,
} from './elementwise.ts';
import {
  diagonal,
  embedding,
  gather,
  gatherND,
  oneHot,
  scatterAdd,
  scatterAddND,
  scatterSet,
  sort,
  takeAlong,
  topK,
} from './indexing.ts';
import { matmul } from './linalg.ts';
import { binaryCrossEntropy, crossEntropy, huber, klDivergence, meanAbsoluteError, meanSquaredError } from './loss.ts';
import { flip, pad, repeat, reshape, roll, slice, stack, tile } from './movement.ts';
import { batchNorm, groupNorm, layerNorm, rmsNorm } from './neural.ts';
import {
  all,
  any,
  cumulativeProduct,
  cumulativeSum,
  logSoftmax,
  logSumExp,
  max,
  min,
  norm,
  prod,
  softmax,
  standardDeviation,
  sum,
  variance,
} from './reduction.ts';
import { erfInverse } from './special.ts';

type Apply = (...inputs: Tensor[]) => Tensor;

const ignoreIndex = -100;

/** By the names of fixtures/library.py. */
const functions: Readonly<Record<string, Apply>> = {
  mod: (a, b) => mod(a, b),
  'mod of a negative divisor': (a, b) => mod(a, b),
  'mod of integers': (a, b) => mod(a, b),
  'floorDivide of integers': (a, b) => floorDivide(a, b),
  trunc: (x) => trunc(x),
  leakyRelu: (x) => leakyRelu(x, 0.1),
  elu: (x) => elu(x, 1.5),
  geluTanh: (x) => geluTanh(x),
  softplus: (x) => softplus(x),
  logSigmoid: (x) => logSigmoid(x),
  'relu at 0': (x) => relu(x),

  prod: (x) => prod(x, { axes: -1 }),
  'prod with a zero': (x) => prod(x, { axes: -1 }),
  'prod with two zeros': (x) => prod(x, { axes: -1 }),
  'prod of all': (x) => prod(x),
  cumulativeProduct: (x) => cumulativeProduct(x),
  cumulativeSum: (x) => cumulativeSum(x, { axis: 0 }),
  'logSumExp of axes': (x) => logSumExp(x, { axes: [0, 2] }),
  variance: (x) => variance(x, { axes: [0, 2] }),
  'variance of a sample': (x) => variance(x, { axes: -1, correction: 1, keepDims: true }),
  standardDeviation: (x) => standardDeviation(x),
  'norm 1': (x) => norm(x, { order: 1, axes: -1 }),
  'norm 2': (x) => norm(x, { axes: 0 }),
  'norm of zeros': (x) => norm(x, { axes: -1 }),
  'norm of infinite order': (x) => norm(x, { order: Infinity }),
  'max of equals': (x) => max(x, { axes: 1 }),
  'min of equals': (x) => min(x, { axes: 0 }),
  'logSoftmax of an axis': (x) => logSoftmax(x, { axis: 0 }),
  'softmax of an axis': (x) => softmax(x, { axis: 1 }),
  any: (x) => any(x, { axes: 1 }),
  all: (x) => all(x, { axes: 0 }),

  'pad edge': (x) => pad(x, [0, 0, 2], [0, 3, 1], { mode: 'edge' }),
  'pad reflect': (x) => pad(x, [0, 1, 2], [0, 0, 1], { mode: 'reflect' }),
  'pad with a value': (x) => pad(x, [1, 2], [0, 1], { value: 1.5 }),
  roll: (x) => roll(x, -4, 1),
  flip: (x) => flip(x, [0, -1]),
  repeat: (x) => repeat(x, 3, 1),
  tile: (x) => tile(x, [2, 1, 3]),
  'slice backwards': (x) => slice(x, [{ start: 1 }, { start: 5, end: 0, step: -2 }]),
  stack: (a, b) => stack([a, b], 1),
  diagonal: (x) => diagonal(x),

  'gather of an axis': (x, i) => gather(x, i, { axis: 1 }),
  takeAlong: (x, i) => takeAlong(x, i, { axis: 0 }),
  'scatterAdd of an axis': (x, i, u) => scatterAdd(x, i, u, { axis: 1 }),
  'scatterSet of an axis': (x, i, u) => scatterSet(x, i, u, { axis: -1 }),
  gatherND: (x, i) => gatherND(x, i),
  scatterAddND: (x, i, u) => scatterAddND(x, i, u),
  topK: (x) => topK(x, 3).values,
  'topK of the smallest': (x) => topK(x, 2, { axis: 0, largest: false }).values,
  sort: (x) => sort(x, { axis: 0 }),
  'sort descending': (x) => sort(x, { descending: true }),
  oneHot: (i) => oneHot(i, 5, { dtype: 'int32' }),
  embedding: (table, i) => embedding(table, i, { padding: 1 }),

  'conv of one axis': (x, w) => conv(x, w),
  'conv of one axis, with all options': (x, w, b) =>
    conv(x, w, { bias: b, stride: 2, padding: 3, dilation: 2, groups: 2 }),
  'conv of two axes': (x, w, b) => conv(x, w, { bias: b, stride: [2, 1], padding: [1, 0], dilation: [1, 2] }),
  'conv of every channel alone': (x, w) => conv(x, w, { padding: 'same', groups: 3 }),
  'conv of the same size': (x, w) => conv(x, w, { padding: 'same', dilation: 2 }),
  convTranspose: (x, w, b) =>
    convTranspose(x, w, { bias: b, stride: 3, padding: 1, outputPadding: 1, groups: 2, dilation: 2 }),
  'convTranspose of two axes': (x, w) =>
    convTranspose(x, w, { stride: [2, 1], padding: [0, 2], outputPadding: [1, 0] }),
  maxPool: (x) => maxPool(x, { size: [2, 3], stride: [1, 2], padding: [1, 1] }),
  'maxPool of one axis': (x) => maxPool(x, { size: 2, stride: 3, dilation: 2 }),
  averagePool: (x) => averagePool(x, { size: 2 }),
  'averagePool without padding': (x) => averagePool(x, { size: 3, stride: 2, padding: 1 }),
  'averagePool with padding': (x) => averagePool(x, { size: 3, stride: 2, padding: 1, countPadding: true }),

  layerNorm: (x, w, b) => layerNorm(x, w, b, 1e-3),
  rmsNorm: (x, w) => rmsNorm(x, w, 1e-3),
  groupNorm: (x, w, b) => groupNorm(x, 2, w, b, { epsilon: 1e-3 }),
  batchNorm: (x, w, b) => batchNorm(x, w, b, { epsilon: 1e-3 }).y,
  'batchNorm with statistics': (x, w, b, mean, of) =>
    batchNorm(x, w, b, {
      epsilon: 1e-3,
      statistics: { mean: stopGradient(mean), variance: stopGradient(of) },
    }).y,

  crossEntropy: (x, t) => crossEntropy(x, t),
  'crossEntropy of many axes': (x, t) => reshape(crossEntropy(x, t, { reduction: 'none' }), [4]),
  'crossEntropy with ignored': (x, t) => crossEntropy(x, t, { ignoreIndex }),
  'crossEntropy, summed, smoothed': (x, t) =>
    crossEntropy(x, t, { ignoreIndex, labelSmoothing: 0.2, reduction: 'sum' }),
  'crossEntropy with all options': (x, t, w) =>
    crossEntropy(x, t, { ignoreIndex, labelSmoothing: 0.2, weights: stopGradient(w) }),
  'crossEntropy with weights': (x, t, w) => crossEntropy(x, t, { weights: stopGradient(w) }),
  binaryCrossEntropy: (x, t) => binaryCrossEntropy(x, t),
  'binaryCrossEntropy with weight': (x, t) => binaryCrossEntropy(x, t, { positiveWeight: 3 }),
  meanSquaredError: (a, b) => meanSquaredError(a, b),
  meanAbsoluteError: (a, b) => meanAbsoluteError(a, b, { reduction: 'sum' }),
  huber: (a, b) => huber(a, b, { delta: 0.7, reduction: 'none' }),
  klDivergence: (p, q) => klDivergence(logSoftmax(p), logSoftmax(q)),
  erfInverse: (x) => erfInverse(x),
};

interface Case {
  readonly name: string;
  readonly inputs: readonly { readonly dtype: HostType; readonly shape: Shape; readonly data: readonly number[] }[];
  readonly output: { readonly shape: Shape; readonly data: readonly number[] };
  /** By each float input, of Σ output · weight with weight[i] = (i % 7 - 3) / 4. */
  readonly gradients?: readonly (readonly number[])[];
}

const fixtures = new URL('../../fixtures/generated/library.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixtures, 'utf8')) as readonly Case[];

function functionOf(name: string): Apply {
  if (name.startsWith('einsum ')) return (...inputs) => einsum(name.slice('einsum '.length), ...inputs);
  if (name.startsWith('matmul ')) return (a, b) => matmul(a, b);
  const found = functions[name];
  if (!found) throw new Error(`no function for the case '${name}'`);
  return found;
}

function expectClose(data: ArrayLike<number>, expected: readonly number[], tolerance: number, what: string): void {
  expect(data.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(data[i]! - value), `${what}, element ${i}: ${data[i]} and ${value}`).toBeLessThanOrEqual(
      tolerance * (1 + Math.abs(value)),
    );
  });
}

describe('the library', () => {
  it('has a function for every case, and a case for every function', () => {
    const named = cases.map(({ name }) => name).filter((name) => !/^(einsum|matmul) /.test(name));
    expect(new Set(named).size).toBe(named.length);
    expect(named.toSorted()).toEqual(Object.keys(functions).toSorted());
  });

  it.each(cases)('$name: value and gradients are those of PyTorch', async ({ name, inputs, output, gradients }) => {
    const apply = functionOf(name);
    const feeds: Record<string, NdArray> = {};
    inputs.forEach(({ dtype, shape, data }, i) => {
      const array = createHostArray(dtype, sizeOf(shape));
      array.set(data);
      feeds[`x${i}`] = { dtype, shape, data: array };
    });
    const { program } = trace(feeds, (tensors: Record<string, Tensor>) => {
      const y = apply(...Object.values(tensors));
      if (gradients === undefined) return { y };
      const size = sizeOf(y.shape);
      const weights = Float32Array.from({ length: size }, (_, i) => ((i % 7) - 3) / 4);
      const floats = Object.values(tensors).filter(({ dtype }) => dtype === 'float32');
      return { y, by: gradient(sum(mul(y, y.graph.constant('float32', y.shape, weights))), floats) };
    });
    expect(program.outputs[0]!.shape).toEqual(output.shape);
    const expected = [output.data, ...(gradients ?? [])];
    const reference = evaluate(program, feeds);
    // The polynomial of erfInverse is good to float32 alone
    const exact = name === 'erfInverse' ? 2e-6 : 1e-7;
    reference.forEach(({ data }, i) =>
      expectClose(data, expected[i]!, exact, `${name}, ${i === 0 ? 'value' : `by ${i - 1}`}`),
    );
    (await runOnOnnx(optimize(program), feeds)).forEach(({ data }, i) =>
      expectClose(data, expected[i]!, 3e-5, `${name} on ONNX Runtime, ${i === 0 ? 'value' : `by ${i - 1}`}`),
    );
  });
});
