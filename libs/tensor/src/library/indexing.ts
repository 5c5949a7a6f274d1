import { invalidInput } from '@crucible/foundation';
import type { DType } from '../dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { formatShape, resolveAxis, stridesOf } from '../shape.ts';
import { range } from './creation.ts';
import { add, cast, equal, mul, notEqual, stopGradient, where } from './elementwise.ts';
import { expandDims, moveAxis, reshape, slice, sliceAxis } from './movement.ts';
import { sum } from './reduction.ts';

export interface AxisOption {
  /** Negative ones count from the end. */
  readonly axis?: number;
}

/**
 * Elements of `x` at `indices` (int32, any shape) along an axis (default: 0), in whose place the axes of the indices
 * come. An index outside 0 … n - 1 fails when the program runs.
 */
export function gather(x: Tensor, indices: Tensor, { axis = 0 }: AxisOption = {}): Tensor {
  return x.graph.node('gather', [x, indices], { axis: resolveAxis(axis, x.rank, 'gather') });
}

/**
 * `base` with `updates` added at `indices` (int32, any shape) along an axis (default: 0); updates have the axes of the
 * indices in place of that axis. Repeated indices add up.
 */
export function scatterAdd(base: Tensor, indices: Tensor, updates: Tensor, options: AxisOption = {}): Tensor {
  return scatter('scatterAdd', base, indices, updates, options);
}

/** Like `scatterAdd`, but updates replace what is there. Which one stays is open where indices repeat. */
export function scatterSet(base: Tensor, indices: Tensor, updates: Tensor, options: AxisOption = {}): Tensor {
  return scatter('scatterSet', base, indices, updates, options);
}

function scatter(
  primitive: 'scatterAdd' | 'scatterSet',
  base: Tensor,
  indices: Tensor,
  updates: Tensor,
  { axis = 0 }: AxisOption,
): Tensor {
  const along = resolveAxis(axis, base.rank, primitive);
  // The axes of the indices come to the front of the updates, one by one in their order.
  const front = indices.shape.reduce<Tensor>((moved, _size, i) => moveAxis(moved, along + i, i), updates);
  return moveAxis(base.graph.node(primitive, [moveAxis(base, along, 0), indices, front], {}), 0, along);
}

/** Elements of `x` along an axis (default: the last) at `indices`, int32 of the shape of `x` but for that axis. */
export function takeAlong(x: Tensor, indices: Tensor, { axis = -1 }: AxisOption = {}): Tensor {
  return x.graph.node('takeAlong', [x, indices], { axis: resolveAxis(axis, x.rank, 'takeAlong') });
}

/** `base` with `updates` added along an axis (default: the last) at `indices`; both of the shape of `base` but for it. */
export function scatterAlong(base: Tensor, indices: Tensor, updates: Tensor, { axis = -1 }: AxisOption = {}): Tensor {
  return base.graph.node('scatterAlong', [base, indices, updates], {
    axis: resolveAxis(axis, base.rank, 'scatterAlong'),
  });
}

/** Slices of `x` at places in its first k axes: indices int32 [...ids, k] → [...ids, ...the other axes]. */
export function gatherND(x: Tensor, indices: Tensor): Tensor {
  const { rows, at } = flattenPlaces(x, indices, 'gatherND');
  return gather(rows, at);
}

/** `base` with `updates` added at places in its first k axes: indices int32 [...ids, k]. */
export function scatterAddND(base: Tensor, indices: Tensor, updates: Tensor): Tensor {
  const { rows, at } = flattenPlaces(base, indices, 'scatterAddND');
  return reshape(scatterAdd(rows, at, updates), base.shape);
}

/** The first k axes as one, and the indices in it. */
function flattenPlaces(x: Tensor, indices: Tensor, what: string): { rows: Tensor; at: Tensor } {
  const count = indices.shape.at(-1) ?? 0;
  if (count === 0 || count > x.rank) {
    throw invalidInput(`${what}: indices ${formatShape(indices.shape)} do not name places in ${formatShape(x.shape)}`);
  }
  const outer = x.shape.slice(0, count);
  const strides = x.graph.constant('int32', [count], Int32Array.from(stridesOf(outer)));
  const size = outer.reduce((product, other) => product * other, 1);
  return { rows: reshape(x, [size, ...x.shape.slice(count)]), at: sum(mul(indices, strides), { axes: -1 }) };
}

/** `size` elements along an axis from `start`, an int32 [] that is known when the program runs. */
export function sliceAt(x: Tensor, start: Tensor, size: number, { axis = 0 }: AxisOption = {}): Tensor {
  return gather(x, add(start, range(x.graph, size)), { axis });
}

/** `base` with `update` in the place of as many elements along an axis from `start`, an int32 []. */
export function updateAt(base: Tensor, update: Tensor, start: Tensor, { axis = 0 }: AxisOption = {}): Tensor {
  const along = resolveAxis(axis, base.rank, 'updateAt');
  return scatterSet(base, add(start, range(base.graph, update.shape[along]!)), update, { axis: along });
}

/** 1 at each index, 0 elsewhere: indices int32 [...] → [..., n]. An index outside 0 … n - 1 gives zeros alone. */
export function oneHot(indices: Tensor, n: number, { dtype = 'float32' }: { readonly dtype?: DType } = {}): Tensor {
  return cast(equal(expandDims(indices, -1), range(indices.graph, n)), dtype);
}

export interface EmbeddingOptions {
  /** An index whose vector is not trained: no gradient reaches its row. Default: none. */
  readonly padding?: number;
}

/** Vectors of a table [n, d] for ids (int32, any shape): [...ids, d]. */
export function embedding(table: Tensor, ids: Tensor, { padding }: EmbeddingOptions = {}): Tensor {
  const vectors = gather(table, ids);
  if (padding === undefined) return vectors;
  return where(expandDims(notEqual(ids, padding), -1), vectors, stopGradient(vectors));
}

export interface TopOptions extends AxisOption {
  /** The smallest instead. Default: true. */
  readonly largest?: boolean;
}

/**
 * The k largest elements along an axis (default: the last), the largest first, and their int32 indices. Of equal ones
 * the first in the tensor leads. The gradient goes to the elements that were taken.
 */
export function topK(x: Tensor, k: number, options: TopOptions = {}): { values: Tensor; indices: Tensor } {
  const { axis = -1, largest = true } = options;
  const along = resolveAxis(axis, x.rank, 'topK');
  const indices = x.graph.node('topIndices', [x], { axis: along, k, largest });
  return { values: takeAlong(x, indices, { axis: along }), indices };
}

export interface SortOptions extends AxisOption {
  /** Default: false. */
  readonly descending?: boolean;
}

/** Sorted along an axis (default: the last). */
export function sort(x: Tensor, options: SortOptions = {}): Tensor {
  return takeAlong(x, argSort(x, options), { axis: options.axis ?? -1 });
}

/** The int32 indices that sort `x` along an axis (default: the last). Equal elements keep their order. */
export function argSort(x: Tensor, { axis = -1, descending = false }: SortOptions = {}): Tensor {
  const along = resolveAxis(axis, x.rank, 'argSort');
  return x.graph.node('topIndices', [x], { axis: along, k: x.shape[along]!, largest: descending });
}

/** The diagonal of the last two axes, from the first row and column on: [..., n, m] → [..., min(n, m)]. */
export function diagonal(x: Tensor): Tensor {
  const [rows, columns] = x.shape.slice(-2) as [number | undefined, number | undefined];
  if (rows === undefined || columns === undefined) {
    throw invalidInput(`diagonal: ${formatShape(x.shape)} has no matrix in its last two axes`);
  }
  const size = Math.min(rows, columns);
  const square = sliceAxis(sliceAxis(x, -2, 0, size), -1, 0, size);
  // Row after row the diagonal's elements lie size + 1 apart.
  const flat = reshape(square, [...x.shape.slice(0, -2), size * size]);
  return slice(flat, [...x.shape.slice(0, -2).map(() => undefined), { step: size + 1 }]);
}
