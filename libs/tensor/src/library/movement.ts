import { invalidInput } from '@crucible/foundation';
import { formatShape, resolveAxis, type Shape, shapesEqual, sizeOf } from '../shape.ts';
import type { Tensor } from '../ir/tensor.ts';

/** The same elements in another shape; one size may be -1, it is then worked out. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const open = shape.indexOf(-1);
  const known = sizeOf(shape.filter((size) => size !== -1));
  const resolved = open === -1 ? shape : shape.with(open, sizeOf(x.shape) / known);
  return shapesEqual(resolved, x.shape) ? x : x.graph.node('reshape', [x], { shape: resolved });
}

/** Axis i of the result is axis `permutation[i]` of `x`. Default: the axes reversed. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const resolved = permutation ?? x.shape.map((_size, axis) => x.rank - 1 - axis);
  const same = resolved.every((axis, i) => axis === i) && resolved.length === x.rank;
  return same ? x : x.graph.node('transpose', [x], { permutation: resolved });
}

export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return shapesEqual(x.shape, shape) ? x : x.graph.node('broadcast', [x], { shape });
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw invalidInput('concat: there is nothing to join');
  return first.graph.node('concat', parts, { axis: resolveAxis(axis, first.rank, 'concat') });
}

/** Elements `start` up to, not including, `end` along one axis. Negative `end` counts from the end of the axis. */
export function sliceAxis(x: Tensor, axis: number, start: number, end: number): Tensor {
  const along = resolveAxis(axis, x.rank, 'slice');
  const size = x.shape[along]!;
  const stop = end < 0 ? end + size : end;
  if (start === 0 && stop === size) return x;
  const starts = x.shape.map((_size, i) => (i === along ? start : 0));
  return x.graph.node('slice', [x], { starts, ends: x.shape.map((other, i) => (i === along ? stop : other)) });
}

/** Parts of the given sizes along an axis, in order; the sizes add up to the axis. */
export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const along = resolveAxis(axis, x.rank, 'split');
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.shape[along]) {
    throw invalidInput(`split: parts ${formatShape(sizes)} do not add up to axis ${along} of ${formatShape(x.shape)}`);
  }
  let start = 0;
  return sizes.map((size) => sliceAxis(x, along, start, (start += size)));
}

/** Zeros around `x`: `before[i]` and `after[i]` along axis i. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  return x.graph.node('pad', [x], { before, after });
}
