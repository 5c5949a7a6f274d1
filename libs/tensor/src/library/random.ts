/**
 * Random numbers by counting: a key and a counter make each number, so the same key gives the same numbers on every
 * device and in every run, and there is no state. Take a key as an input of the program, and give each use one of its
 * own with `splitKey` or `foldIn`.
 *
 * The generator is used as in JAX before its version 0.5: keys, bits, `splitKey` and `foldIn` are the same numbers as
 * there.
 */
import { invalidInput } from '@crucible/foundation';
import type { Graph } from '../ir/graph.ts';
import { isTensor, type Tensor } from '../ir/tensor.ts';
import { erf } from '../erf.ts';
import { ndArray, type NdArray } from '../nd-array.ts';
import { resolveAxis, type Shape, sizeOf } from '../shape.ts';
import {
  add,
  bitAnd,
  cast,
  clamp,
  div,
  less,
  log,
  mul,
  neg,
  type Operand,
  shiftRight,
  sqrt,
  square,
  sub,
  where,
} from './elementwise.ts';
import { range } from './creation.ts';
import { argSort, type AxisOption, gather } from './indexing.ts';
import { concat, reshape, sliceAxis } from './movement.ts';
import { argMax } from './reduction.ts';
import { erfInverse } from './special.ts';
import { threefry } from './threefry.ts';

/** The key of a seed from 0 to 2^53 - 1, as an input of programs: uint32 [2]. */
export function randomKey(seed: number): NdArray<'uint32'> {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalidInput(`randomKey: seed ${seed} is not a whole number from 0 to 2^53 - 1`);
  }
  return ndArray('uint32', [2], Uint32Array.of(Math.floor(seed / 2 ** 32), seed % 2 ** 32));
}

/** The same as a part of a program: its numbers are then the same in every run. */
export function constantKey(graph: Graph, seed: number): Tensor {
  return graph.constant('uint32', [2], randomKey(seed).data);
}

/** New keys, which have nothing to do with each other nor with the old one. Default: two. */
export function splitKey(key: Tensor, count = 2): Tensor[] {
  const keys = reshape(randomBits(key, [2 * count]), [count, 2]);
  return Array.from({ length: count }, (_, i) => gather(keys, key.graph.scalar(i, 'int32')));
}

/** A new key of a key and a number, an int32 or uint32 [] such as the step of training. */
export function foldIn(key: Tensor, data: Tensor | number): Tensor {
  const word = isTensor(data)
    ? cast(reshape(data, [1]), 'uint32')
    : key.graph.constant('uint32', [1], Uint32Array.of(data));
  const [first, second] = threefry(key, key.graph.constant('uint32', [1], Uint32Array.of(0)), word);
  return concat([first, second], 0);
}

/** uint32 words, all of whose bits are random. */
export function randomBits(key: Tensor, shape: Shape): Tensor {
  return draw(key, shape, (bits) => bits);
}

/** Random words, turned into what is wanted. */
function draw(key: Tensor, shape: Shape, change: (bits: Tensor) => Tensor): Tensor {
  const count = sizeOf(shape);
  const values = change(concat(randomPairs(key, count), 0));
  return reshape(sliceAxis(values, 0, 0, count), shape);
}

/** Two lists of words, which together are `count` or one more. */
function randomPairs(key: Tensor, count: number): [Tensor, Tensor] {
  const pairs = Math.ceil(count / 2);
  const first = range(key.graph, pairs, 'uint32');
  const second = add(first, pairs);
  if (count === 2 * pairs) return threefry(key, first, second);
  // The counter of the word that is too many is 0, as it is in JAX.
  return threefry(key, first, mul(second, cast(less(second, count), 'uint32')));
}

export interface UniformOptions {
  /** Default: 0. */
  readonly low?: number;
  /** Not reached. Default: 1. */
  readonly high?: number;
}

/** float32 in low … high, on a grid of 2^24 steps. */
export function uniform(key: Tensor, shape: Shape, { low = 0, high = 1 }: UniformOptions = {}): Tensor {
  return add(mul(draw(key, shape, toUnit), high - low), low);
}

/** The upper 24 bits as a number from 0 to 1, which is not reached. */
function toUnit(bits: Tensor): Tensor {
  return mul(cast(shiftRight(bits, 8), 'float32'), 2 ** -24);
}

/** Between 0 and 1, neither of which is reached. */
function toOpenUnit(bits: Tensor): Tensor {
  return mul(add(cast(shiftRight(bits, 9), 'float32'), 0.5), 2 ** -23);
}

export interface NormalOptions {
  /** Default: 0. */
  readonly mean?: Operand;
  /** Standard deviation. Default: 1. */
  readonly deviation?: Operand;
}

/** sin(π/2 v) / v and cos(π/2 v) in powers of v², from the lowest, for 0 ≤ v ≤ 1: fits with errors below 5e-8. */
const sineSeries = [1.57079632, -0.64596376, 0.0796899226, -0.00467415067, 0.000151675118];
const cosineSeries = [0.999999953, -1.23369821, 0.25365071, -0.0208105714, 0.000858162543];

/**
 * Normally distributed float32, up to 5.7 deviations from the mean: a random length times the sine and the cosine of a
 * random angle (Box & Muller 1958). These are worked out here: those of a GPU are good to three digits.
 */
export function normal(key: Tensor, shape: Shape, { mean = 0, deviation = 1 }: NormalOptions = {}): Tensor {
  const count = sizeOf(shape);
  const [first, second] = randomPairs(key, count);
  const radius = sqrt(mul(log(toOpenUnit(first)), -2));
  // An angle in the first quarter of the circle, and two bits for the quarter
  const v = toUnit(second);
  const sign = (bit: number): Tensor => sub(1, mul(cast(bitAnd(shiftRight(second, bit), 1), 'float32'), 2));
  const cosine = mul(mul(radius, sign(0)), powerSeries(square(v), cosineSeries));
  const sine = mul(mul(radius, sign(1)), mul(v, powerSeries(square(v), sineSeries)));
  const standard = reshape(sliceAxis(concat([cosine, sine], 0), 0, 0, count), shape);
  const scaled = deviation === 1 ? standard : mul(standard, deviation);
  return mean === 0 ? scaled : add(scaled, mean);
}

function powerSeries(x: Tensor, coefficients: readonly number[]): Tensor {
  const [highest, ...lower] = coefficients.toReversed() as [number, ...number[]];
  return lower
    .slice(1)
    .reduce<Tensor>((sum, coefficient) => add(mul(sum, x), coefficient), add(mul(x, highest), lower[0]!));
}

/** Normally distributed within low … high deviations (default: -2 … 2) of 0. */
export function truncatedNormal(
  key: Tensor,
  shape: Shape,
  { low = -2, high = 2 }: { readonly low?: number; readonly high?: number } = {},
): Tensor {
  if (!(low < high)) throw invalidInput(`truncatedNormal: low ${low} is not below high ${high}`);
  const [from, to] = [low, high].map((deviations) => erf(deviations * Math.SQRT1_2)) as [number, number];
  const area = add(mul(draw(key, shape, toOpenUnit), to - from), from);
  return clamp(mul(erfInverse(area), Math.SQRT2), low, high);
}

/** int32 in low … high - 1. A number is more likely than another by at most (high - low) / 2^32. */
export function randomIntegers(key: Tensor, shape: Shape, low: number, high: number): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high || high - low > 2 ** 31) {
    throw invalidInput(`randomIntegers: ${low} … ${high} are not whole numbers in order, at most 2^31 apart`);
  }
  const span = key.graph.scalar(high - low, 'uint32');
  return draw(key, shape, (bits) => add(cast(sub(bits, mul(div(bits, span), span)), 'int32'), low));
}

/** bool, true with a probability, which may be a tensor that broadcasts to the shape. */
export function bernoulli(key: Tensor, shape: Shape, probability: Operand = 0.5): Tensor {
  return less(draw(key, shape, toUnit), probability);
}

/** Gumbel-distributed float32: the largest of logits with such noise is drawn by their softmax. */
export function gumbel(key: Tensor, shape: Shape): Tensor {
  return neg(log(neg(log(draw(key, shape, toOpenUnit)))));
}

/** Indices (int32) along an axis (default: the last), drawn with the probabilities softmax(logits). */
export function categorical(key: Tensor, logits: Tensor, { axis = -1 }: AxisOption = {}): Tensor {
  return argMax(add(logits, gumbel(key, logits.shape)), { axis });
}

/** The numbers 0 … n - 1 (int32) in random order. */
export function permutation(key: Tensor, n: number): Tensor {
  // Sorting keeps the order of equal keys: two sorts by 24 bits are one by 48.
  const [first, second] = splitKey(key) as [Tensor, Tensor];
  const once = argSort(draw(first, [n], toUnit));
  return gather(once, argSort(gather(draw(second, [n], toUnit), once)));
}

/** Slices along an axis (default: 0) in random order. */
export function shuffle(key: Tensor, x: Tensor, { axis = 0 }: AxisOption = {}): Tensor {
  const along = resolveAxis(axis, x.rank, 'shuffle');
  return gather(x, permutation(key, x.shape[along]!), { axis: along });
}

/** Zeros a part `rate` of the elements and makes up for them in the others (Srivastava et al. 2014). */
export function dropout(x: Tensor, key: Tensor, rate: number): Tensor {
  if (!(rate >= 0 && rate < 1)) throw invalidInput(`dropout: rate ${rate} is not within 0 … 1`);
  if (rate === 0) return x;
  // 16 bits are fine enough for a rate: one word does for two elements.
  const kept = Math.round((1 - rate) * 2 ** 16);
  const count = sizeOf(x.shape);
  const words = randomBits(key, [2 * Math.ceil(count / 4)]);
  const halves = concat([bitAnd(words, 0xffff), shiftRight(words, 16)], 0);
  const isKept = reshape(sliceAxis(less(halves, kept), 0, 0, count), x.shape);
  return where(isKept, mul(x, 2 ** 16 / kept), 0);
}
