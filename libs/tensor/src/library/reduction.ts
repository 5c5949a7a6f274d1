import { resolveAxis, sizeOf } from '../shape.ts';
import type { Tensor } from '../ir/tensor.ts';
import { mul, square, sub } from './elementwise.ts';
import { transpose } from './movement.ts';

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

export function sum(x: Tensor, options: ReductionOptions = {}): Tensor {
  return x.graph.node('sum', [x], { axes: resolveAxes(x, options, 'sum'), keepDims: options.keepDims ?? false });
}

export function max(x: Tensor, options: ReductionOptions = {}): Tensor {
  return x.graph.node('max', [x], { axes: resolveAxes(x, options, 'max'), keepDims: options.keepDims ?? false });
}

export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  const count = sizeOf(resolveAxes(x, options, 'mean').map((axis) => x.shape[axis]!));
  return mul(sum(x, options), 1 / count);
}

/** Sum of squares of all elements. */
export function squaredNorm(x: Tensor): Tensor {
  return sum(square(x));
}

/** Running sum along the last axis, from its end with `reverse`. */
export function cumulativeSum(x: Tensor, { reverse = false } = {}): Tensor {
  return x.graph.node('cumulativeSum', [x], { reverse });
}

/** Index (int32) of the first largest element along the last axis. */
export function argMax(x: Tensor): Tensor {
  return x.graph.node('argMax', [x], {});
}

/** log Σ exp along the last axis, without overflow; the axis stays with size 1. */
export function logSumExp(x: Tensor): Tensor {
  return x.graph.node('logSumExp', [x], {});
}

/** Softmax along `axis` (default: the last). */
export function softmax(x: Tensor, { axis = -1 } = {}): Tensor {
  const along = resolveAxis(axis, x.rank, 'softmax');
  if (along === x.rank - 1) return x.graph.node('softmax', [x], {});
  const swap = x.shape.map((_size, i) => (i === along ? x.rank - 1 : i === x.rank - 1 ? along : i));
  return transpose(softmax(transpose(x, swap)), swap);
}

/** Logarithm of the softmax along the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return sub(x, logSumExp(x));
}
