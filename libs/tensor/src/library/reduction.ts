import { invalidInput } from '@crucible/foundation';
import { resolveAxis, sizeOf } from '../shape.ts';
import type { Tensor } from '../ir/tensor.ts';
import { full } from './creation.ts';
import { abs, cast, less, mul, not, notEqual, sqrt, square, sub, where } from './elementwise.ts';
import { concat, flip, pad, reshape, sliceAxis, squeeze, transpose } from './movement.ts';

export interface ReductionOptions {
  /** Axes to reduce; negative ones count from the end. Default: all. */
  readonly axes?: number | readonly number[];
  /** Keep reduced axes with size 1. Default: false. */
  readonly keepDims?: boolean;
}

function resolveAxes(x: Tensor, { axes }: ReductionOptions, what: string): number[] {
  if (axes === undefined) return x.shape.map((_size, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  return list.map((axis) => resolveAxis(axis, x.rank, what)).sort((a, b) => a - b);
}

function reduction(primitive: 'sum' | 'max' | 'min'): (x: Tensor, options?: ReductionOptions) => Tensor {
  return (x, options = {}) =>
    x.graph.node(primitive, [x], {
      axes: resolveAxes(x, options, primitive),
      keepDims: options.keepDims ?? false,
    });
}

export const sum = reduction('sum');
/** The largest; several that are largest share the gradient evenly. Of nothing: -∞. */
export const max = reduction('max');
/** The smallest; several that are smallest share the gradient evenly. Of nothing: ∞. */
export const min = reduction('min');

export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  return mul(sum(x, options), 1 / reducedCount(x, options, 'mean'));
}

function reducedCount(x: Tensor, options: ReductionOptions, what: string): number {
  return sizeOf(resolveAxes(x, options, what).map((axis) => x.shape[axis]!));
}

/**
 * The product, by halves: log₂ n multiplications of tensors, whose gradients are right wherever elements are 0. Of
 * nothing: 1.
 */
export function prod(x: Tensor, options: ReductionOptions = {}): Tensor {
  const axes = resolveAxes(x, options, 'prod');
  const product = axes.reduce(prodAlong, x);
  return options.keepDims === true ? product : squeeze(product, axes);
}

function prodAlong(x: Tensor, axis: number): Tensor {
  const size = x.shape[axis]!;
  if (size === 0) return full(x.graph, x.shape.with(axis, 1), 1, x.dtype);
  if (size === 1) return x;
  const half = Math.floor(size / 2);
  const pairs = mul(sliceAxis(x, axis, 0, half), sliceAxis(x, axis, half, 2 * half));
  return prodAlong(size % 2 === 0 ? pairs : concat([pairs, sliceAxis(x, axis, size - 1, size)], axis), axis);
}

/** Of bools: whether all are true. */
export function all(x: Tensor, options: ReductionOptions = {}): Tensor {
  return not(any(not(x), options));
}

/** Of bools: whether one is true. */
export function any(x: Tensor, options: ReductionOptions = {}): Tensor {
  return notEqual(sum(cast(x, 'int32'), options), 0);
}

export interface VarianceOptions extends ReductionOptions {
  /** Taken from the count that the squares are divided by; 1 gives the estimate from a sample. Default: 0. */
  readonly correction?: number;
}

/** The mean square distance from the mean. */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  const { axes, correction = 0 } = options;
  const centred = sub(x, mean(x, { ...(axes === undefined ? {} : { axes }), keepDims: true }));
  const count = reducedCount(x, options, 'variance');
  return mul(sum(square(centred), options), 1 / (count - correction));
}

/** The square root of the variance; where that is 0 its gradient is 0. */
export function standardDeviation(x: Tensor, options: VarianceOptions = {}): Tensor {
  return flatSqrt(variance(x, options));
}

export interface NormOptions extends ReductionOptions {
  /** Sum of absolute values (1), root of the sum of squares (2), or largest absolute value (Infinity). Default: 2. */
  readonly order?: number;
}

/** The length of vectors along some axes. Where it is 0 its gradient is 0. */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  const { order = 2 } = options;
  switch (order) {
    case 1:
      return sum(abs(x), options);
    case 2:
      return flatSqrt(sum(square(x), options));
    case Infinity:
      return max(abs(x), options);
    default:
      throw invalidInput(`norm: order ${order} is none of 1, 2 and Infinity`);
  }
}

/** √x with gradient 0 at 0, where the root itself is infinitely steep. */
function flatSqrt(x: Tensor): Tensor {
  const positive = less(0, x);
  return where(positive, sqrt(where(positive, x, 1)), 0);
}

/** Sum of squares of all elements. */
export function squaredNorm(x: Tensor): Tensor {
  return sum(square(x));
}

export interface CumulativeOptions {
  /** Default: the last. */
  readonly axis?: number;
  /** Leaves out the element itself. Default: false. */
  readonly exclusive?: boolean;
  /** From the end. Default: false. */
  readonly reverse?: boolean;
}

/** Running sum along an axis. */
export function cumulativeSum(x: Tensor, options: CumulativeOptions = {}): Tensor {
  const { axis = -1, exclusive = false, reverse = false } = options;
  return x.graph.node('cumulativeSum', [x], {
    axis: resolveAxis(axis, x.rank, 'cumulativeSum'),
    exclusive,
    reverse,
  });
}

/** Running product along an axis, in log₂ n multiplications of the whole tensor; its gradient is right where elements are 0. */
export function cumulativeProduct(x: Tensor, options: CumulativeOptions = {}): Tensor {
  const { axis = -1, exclusive = false, reverse = false } = options;
  const along = resolveAxis(axis, x.rank, 'cumulativeProduct');
  if (reverse) return flip(cumulativeProduct(flip(x, along), { axis: along, exclusive }), along);
  const size = x.shape[along]!;
  const none = x.shape.map(() => 0);
  // Ones come in at the start
  const later = (y: Tensor, places: number): Tensor =>
    pad(sliceAxis(y, along, 0, size - places), none.with(along, places), none, { value: 1 });
  let product = exclusive && size > 0 ? later(x, 1) : x;
  for (let places = 1; places < size; places *= 2) product = mul(product, later(product, places));
  return product;
}

/** Index (int32) of the first largest element along an axis (default: the last). */
export function argMax(x: Tensor, { axis = -1 }: { readonly axis?: number } = {}): Tensor {
  return x.graph.node('argMax', [x], { axis: resolveAxis(axis, x.rank, 'argMax') });
}

/** Index (int32) of the first smallest element along an axis (default: the last). */
export function argMin(x: Tensor, { axis = -1 }: { readonly axis?: number } = {}): Tensor {
  return x.graph.node('argMin', [x], { axis: resolveAxis(axis, x.rank, 'argMin') });
}

/** log Σ exp, without overflow. */
export function logSumExp(x: Tensor, options: ReductionOptions = {}): Tensor {
  const axes = resolveAxes(x, options, 'logSumExp');
  const kept = x.shape.flatMap((_size, axis) => (axes.includes(axis) ? [] : [axis]));
  const sizes = kept.map((axis) => x.shape[axis]!);
  const rows = reshape(transpose(x, [...kept, ...axes]), [...sizes, sizeOf(axes.map((axis) => x.shape[axis]!))]);
  const shape = options.keepDims === true ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : sizes;
  return reshape(x.graph.node('logSumExp', [rows], {}), shape);
}

/** Softmax along `axis` (default: the last). */
export function softmax(x: Tensor, { axis = -1 } = {}): Tensor {
  const along = resolveAxis(axis, x.rank, 'softmax');
  if (along === x.rank - 1) return x.graph.node('softmax', [x], {});
  const swap = x.shape.map((_size, i) => (i === along ? x.rank - 1 : i === x.rank - 1 ? along : i));
  return transpose(softmax(transpose(x, swap)), swap);
}

/** Logarithm of the softmax along `axis` (default: the last). */
export function logSoftmax(x: Tensor, { axis = -1 } = {}): Tensor {
  return sub(x, logSumExp(x, { axes: axis, keepDims: true }));
}
