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

/** A new axis of size 1, at index `axis` of the result; negative ones count from the end of the result. */
export function expandDims(x: Tensor, axis: number): Tensor {
  return reshape(x, x.shape.toSpliced(resolveAxis(axis, x.rank + 1, 'expandDims'), 0, 1));
}

/** Without the given axes, which must have size 1. Default: all that have. */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  if (axes === undefined) {
    return reshape(
      x,
      x.shape.filter((size) => size !== 1),
    );
  }
  const dropped = listOf(axes).map((axis) => resolveAxis(axis, x.rank, 'squeeze'));
  const wide = dropped.find((axis) => x.shape[axis] !== 1);
  if (wide !== undefined) throw invalidInput(`squeeze: axis ${wide} of ${formatShape(x.shape)} has not size 1`);
  return reshape(
    x,
    x.shape.filter((_size, axis) => !dropped.includes(axis)),
  );
}

/** Axis i of the result is axis `permutation[i]` of `x`. Default: the axes reversed. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const resolved = permutation ?? x.shape.map((_size, axis) => x.rank - 1 - axis);
  const same = resolved.every((axis, i) => axis === i) && resolved.length === x.rank;
  return same ? x : x.graph.node('transpose', [x], { permutation: resolved });
}

/** One axis at another place, the others in their order. */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const [source, target] = [resolveAxis(from, x.rank, 'moveAxis'), resolveAxis(to, x.rank, 'moveAxis')];
  const others = x.shape.flatMap((_size, axis) => (axis === source ? [] : [axis]));
  return transpose(x, others.toSpliced(target, 0, source));
}

export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return shapesEqual(x.shape, shape) ? x : x.graph.node('broadcast', [x], { shape });
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw invalidInput('concat: there is nothing to join');
  if (parts.length === 1) return first;
  return first.graph.node('concat', parts, { axis: resolveAxis(axis, first.rank, 'concat') });
}

/** Tensors of one shape side by side along a new axis, at index `axis` of the result. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  const [first] = parts;
  if (!first) throw invalidInput('stack: there is nothing to join');
  const along = resolveAxis(axis, first.rank + 1, 'stack');
  return concat(
    parts.map((part) => expandDims(part, along)),
    along,
  );
}

/** The parts along an axis, which goes: the reverse of `stack`. */
export function unstack(x: Tensor, axis = 0): Tensor[] {
  const along = resolveAxis(axis, x.rank, 'unstack');
  return Array.from({ length: x.shape[along]! }, (_, i) => squeeze(sliceAxis(x, along, i, i + 1), along));
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

/** Which elements of an axis to take, as `start:end:step` does in Python. */
export interface Range {
  /** Negative: from the end of the axis. Default: the first, or the last where `step` is negative. */
  readonly start?: number;
  /** Not included. Negative: from the end of the axis. Default: all that are left. */
  readonly end?: number;
  /** Any whole number but 0; negative ones go backwards. Default: 1. */
  readonly step?: number;
}

/** Elements of each axis, one range an axis, outermost first; axes without one are taken whole. Bounds are clipped. */
export function slice(x: Tensor, ranges: readonly (Range | undefined)[]): Tensor {
  if (ranges.length > x.rank) {
    throw invalidInput(`slice: ${ranges.length} ranges for ${formatShape(x.shape)} of rank ${x.rank}`);
  }
  const parts = x.shape.map((size, axis) => resolveRange(ranges[axis] ?? {}, size));
  const [starts, ends, steps] = [
    parts.map((part) => part.start),
    parts.map((part) => part.end),
    parts.map((part) => part.step),
  ];
  const whole = parts.every(({ start, end, step }, axis) => start === 0 && end === x.shape[axis] && step === 1);
  const plain = steps.every((step) => step === 1);
  const taken = whole ? x : x.graph.node('slice', [x], plain ? { starts, ends } : { starts, ends, steps });
  return flip(
    taken,
    parts.flatMap(({ backwards }, axis) => (backwards ? [axis] : [])),
  );
}

/** The elements in their order in the tensor, and whether they are to be turned round. */
function resolveRange({ start, end, step = 1 }: Range, size: number) {
  if (!Number.isInteger(step) || step === 0) {
    throw invalidInput(`slice: step ${step} is not a whole number other than 0`);
  }
  const place = (at: number, low: number, high: number): number =>
    Math.min(Math.max(at < 0 ? at + size : at, low), high);
  if (step > 0) {
    const first = start === undefined ? 0 : place(start, 0, size);
    const stop = end === undefined ? size : place(end, 0, size);
    return { start: first, end: Math.max(first, stop), step, backwards: false };
  }
  const last = start === undefined ? size - 1 : place(start, -1, size - 1);
  const stop = end === undefined ? -1 : place(end, -1, size - 1);
  const count = Math.max(0, Math.ceil((last - stop) / -step));
  if (count === 0) return { start: 0, end: 0, step: 1, backwards: false };
  return { start: last + (count - 1) * step, end: last + 1, step: -step, backwards: count > 1 };
}

/** The elements in reverse order along some axes. Default: all. */
export function flip(x: Tensor, axes: number | readonly number[] = x.shape.map((_size, axis) => axis)): Tensor {
  const resolved = listOf(axes)
    .map((axis) => resolveAxis(axis, x.rank, 'flip'))
    .sort((a, b) => a - b);
  return resolved.length === 0 ? x : x.graph.node('flip', [x], { axes: resolved });
}

/** Parts of the given sizes along an axis, in order; the sizes add up to the axis. A number: so many equal parts. */
export function split(x: Tensor, sizes: number | readonly number[], axis: number): Tensor[] {
  const along = resolveAxis(axis, x.rank, 'split');
  const size = x.shape[along]!;
  const list = typeof sizes === 'number' ? new Array<number>(sizes).fill(size / sizes) : sizes;
  if (list.reduce((sum, part) => sum + part, 0) !== size || !list.every(Number.isInteger)) {
    throw invalidInput(`split: parts ${formatShape(list)} do not add up to axis ${along} of ${formatShape(x.shape)}`);
  }
  let start = 0;
  return list.map((part) => sliceAxis(x, along, start, (start += part)));
}

export interface PadOptions {
  /**
   * What stands around `x`: a constant, the nearest element (`edge`), or `x` mirrored at its first and last elements,
   * which are not repeated (`reflect`). Default: `constant`.
   */
  readonly mode?: 'constant' | 'edge' | 'reflect';
  /** The constant. Default: 0. */
  readonly value?: number;
}

/** `before[i]` and `after[i]` elements around `x` along axis i. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[], options: PadOptions = {}): Tensor {
  const { mode = 'constant', value = 0 } = options;
  if (mode === 'constant') {
    const inputs = value === 0 ? [x] : [x, x.graph.scalar(value, x.dtype)];
    return x.graph.node('pad', inputs, { before, after });
  }
  if (before.length !== x.rank || after.length !== x.rank) {
    throw invalidInput(`pad: ${formatShape(before)} and ${formatShape(after)} do not fit ${formatShape(x.shape)}`);
  }
  return x.shape.reduce<Tensor>((padded, _size, axis) => padAxis(padded, axis, before[axis]!, after[axis]!, mode), x);
}

function padAxis(x: Tensor, axis: number, before: number, after: number, mode: 'edge' | 'reflect'): Tensor {
  const size = x.shape[axis]!;
  const longest = mode === 'edge' ? (size > 0 ? Infinity : 0) : size - 1;
  if (before > longest || after > longest || before < 0 || after < 0) {
    throw invalidInput(`pad: ${before} and ${after} elements (${mode}) do not fit axis ${axis} of size ${size}`);
  }
  const copies = (at: number, count: number): Tensor =>
    broadcastTo(sliceAxis(x, axis, at, at + 1), x.shape.with(axis, count));
  const mirrored = (start: number, count: number): Tensor => flip(sliceAxis(x, axis, start, start + count), axis);
  const parts = [x];
  if (before > 0) parts.unshift(mode === 'edge' ? copies(0, before) : mirrored(1, before));
  if (after > 0) parts.push(mode === 'edge' ? copies(size - 1, after) : mirrored(size - 1 - after, after));
  return concat(parts, axis);
}

/** `steps[i]` - 1 zeros between the elements along axis i. */
export function dilate(x: Tensor, steps: readonly number[]): Tensor {
  return steps.reduce((y, step, axis) => {
    const size = y.shape[axis]!;
    if (step === 1 || size <= 1) return y;
    const apart = expandDims(y, axis + 1);
    const none = apart.shape.map(() => 0);
    const filled = reshape(pad(apart, none, none.with(axis + 1, step - 1)), y.shape.with(axis, size * step));
    return sliceAxis(filled, axis, 0, (size - 1) * step + 1);
  }, x);
}

/** The whole of `x` side by side, `counts[i]` times along axis i. */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  if (counts.length !== x.rank) {
    throw invalidInput(`tile: ${formatShape(counts)} does not name a count for each axis of ${formatShape(x.shape)}`);
  }
  // [a, b] → [1, a, 1, b] → [m, a, n, b]
  const apart = x.shape.flatMap((size) => [1, size]);
  const repeated = x.shape.flatMap((size, axis) => [counts[axis]!, size]);
  return reshape(
    broadcastTo(reshape(x, apart), repeated),
    x.shape.map((size, axis) => size * counts[axis]!),
  );
}

/** Every element of an axis `count` times in a row. */
export function repeat(x: Tensor, count: number, axis: number): Tensor {
  const along = resolveAxis(axis, x.rank, 'repeat');
  const apart = expandDims(x, along + 1);
  return reshape(broadcastTo(apart, apart.shape.with(along + 1, count)), x.shape.with(along, x.shape[along]! * count));
}

/** The elements moved `shift` places along an axis; those that leave at the end come in again at the start. */
export function roll(x: Tensor, shift: number, axis: number): Tensor {
  const along = resolveAxis(axis, x.rank, 'roll');
  const size = x.shape[along]!;
  const places = size === 0 ? 0 : ((shift % size) + size) % size;
  if (places === 0) return x;
  return concat([sliceAxis(x, along, size - places, size), sliceAxis(x, along, 0, size - places)], along);
}

function listOf(axes: number | readonly number[]): readonly number[] {
  return typeof axes === 'number' ? [axes] : axes;
}
