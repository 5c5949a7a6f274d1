import { invalidInput } from '@crucible/foundation';
import type { Windows } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { formatShape, sizeOf } from '../shape.ts';
import { onesLike } from './creation.ts';
import { add, div, mul } from './elementwise.ts';
import { pad, reshape, slice, sliceAxis, stack } from './movement.ts';
import { max, sum } from './reduction.ts';

/** One number for every spatial axis, or one for each. */
export type PerAxis = number | readonly number[];

/**
 * Zeros around each spatial axis: on both sides as many, or [before, after]. `same` keeps the size at stride 1 and
 * divides it by the stride, rounded up, otherwise, with the odd zero behind.
 */
export type Padding = 'same' | number | readonly (number | readonly [before: number, after: number])[];

interface WindowOptions {
  /** Places between neighbouring windows. Default: 1, for pooling the size of the window. */
  readonly stride?: PerAxis;
  /** Places between neighbouring elements of a window. Default: 1. */
  readonly dilation?: PerAxis;
  /** Default: 0. */
  readonly padding?: Padding;
}

export interface ConvOptions extends WindowOptions {
  /** Input and output channels in so many parts, each of which sees its own alone. Default: 1. */
  readonly groups?: number;
  /** [o], added to each output channel. Default: none. */
  readonly bias?: Tensor;
}

/**
 * Convolution over one or more spatial axes: x [n, c, ...spatial] with weight [o, c / groups, ...kernel] →
 * [n, o, ...]. As in neural networks the kernel is not flipped.
 */
export function conv(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  const { groups = 1, bias } = options;
  const params = { ...resolveWindows(x, weight.shape.slice(2), options, 1, 'conv'), groups };
  return x.graph.node('conv', bias === undefined ? [x, weight] : [x, weight, bias], params);
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Added to the size of the result: a stride of s leaves s sizes open. Default: 0. */
  readonly outputPadding?: PerAxis;
}

/**
 * What the gradient of `conv` does to its result, as a layer of its own (a "deconvolution"): x [n, c, ...spatial] with
 * weight [c, o / groups, ...kernel] → [n, o, ...]. `padding` is taken away from the result; `same` is not for it.
 */
export function convTranspose(x: Tensor, weight: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const { groups = 1, bias, outputPadding = 0 } = options;
  if (options.padding === 'same') throw invalidInput("convTranspose: padding 'same' is not allowed, give numbers");
  const windows = resolveWindows(x, weight.shape.slice(2), options, 1, 'convTranspose');
  const extra = perAxis(outputPadding, x.rank - 2, 'convTranspose: outputPadding');
  const size = windows.strides.map(
    (stride, i) =>
      (x.shape[i + 2]! - 1) * stride +
      windows.dilations[i]! * (weight.shape[i + 2]! - 1) +
      1 -
      windows.before[i]! -
      windows.after[i]! +
      extra[i]!,
  );
  const y = x.graph.node('convTranspose', [x, weight], { ...windows, groups, size });
  return bias === undefined ? y : add(y, reshape(bias, [-1, ...size.map(() => 1)]));
}

export interface PoolOptions extends WindowOptions {
  /** Elements of a window along each spatial axis. */
  readonly size: PerAxis;
}

/** The largest element of each window of x [n, c, ...spatial]; several that are largest share the gradient evenly. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  const pool = resolvePool(x, options, 'maxPool');
  return max(...windowsOf(padded(x, pool, -Infinity), pool));
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether the zeros around `x` are part of an average. Default: false. */
  readonly countPadding?: boolean;
}

/** The mean of each window of x [n, c, ...spatial]. */
export function averagePool(x: Tensor, options: AveragePoolOptions): Tensor {
  const pool = resolvePool(x, options, 'averagePool');
  const total = (of: Tensor): Tensor => sum(...windowsOf(padded(of, pool, 0), pool));
  const isPadded = [...pool.before, ...pool.after].some((n) => n > 0);
  if (!isPadded || options.countPadding === true) return mul(total(x), 1 / sizeOf(pool.kernel));
  return div(total(x), total(onesLike(sliceAxis(sliceAxis(x, 0, 0, 1), 1, 0, 1))));
}

interface Pool extends Windows {
  readonly kernel: readonly number[];
  /** How many windows lie along each spatial axis. */
  readonly places: readonly number[];
}

function resolvePool(x: Tensor, options: PoolOptions, what: string): Pool {
  const kernel = perAxis(options.size, x.rank - 2, `${what}: size`);
  const windows = resolveWindows(x, kernel, options, kernel, what);
  const { strides, dilations, before, after } = windows;
  const places = kernel.map((taps, i) => {
    const reach = dilations[i]! * (taps - 1) + 1;
    return Math.floor((x.shape[i + 2]! + before[i]! + after[i]! - reach) / strides[i]!) + 1;
  });
  if (x.rank < 3 || places.some((count) => count < 1)) {
    throw invalidInput(
      `${what}: windows of ${formatShape(kernel)} do not fit into ${formatShape(x.shape)}, [n, c, ...spatial]`,
    );
  }
  return { ...windows, kernel, places };
}

function padded(x: Tensor, { before, after }: Windows, value: number): Tensor {
  if ([...before, ...after].every((n) => n === 0)) return x;
  return pad(x, [0, 0, ...before], [0, 0, ...after], { value });
}

/** A tensor with axes that have the elements of each window: what to reduce. */
function windowsOf(x: Tensor, pool: Pool): [x: Tensor, over: { readonly axes: number | readonly number[] }] {
  const { kernel, strides, dilations, places } = pool;
  if (kernel.every((taps, i) => taps === strides[i] && dilations[i] === 1)) {
    // Side by side they are what is there already: [n, c, places, taps, ...]
    const whole = slice(x, [undefined, undefined, ...kernel.map((taps, i) => ({ end: places[i]! * taps }))]);
    const apart = reshape(whole, [...x.shape.slice(0, 2), ...kernel.flatMap((taps, i) => [places[i]!, taps])]);
    return [apart, { axes: kernel.map((_taps, i) => 2 * i + 3) }];
  }
  return [unfold(x, pool), { axes: 2 }];
}

/**
 * The elements of each window, [n, c, taps, ...places]: one strided slice for each tap, the last spatial axis fastest.
 * Nothing is padded.
 */
export function unfold(
  x: Tensor,
  { kernel, strides, dilations, places }: Pick<Pool, 'kernel' | 'strides' | 'dilations' | 'places'>,
): Tensor {
  let taps: number[][] = [[]];
  for (const count of kernel) {
    taps = taps.flatMap((tap) => Array.from({ length: count }, (_, i) => [...tap, i]));
  }
  const parts = taps.map((tap) =>
    slice(x, [
      undefined,
      undefined,
      ...tap.map((at, i) => {
        const start = at * dilations[i]!;
        return { start, end: start + (places[i]! - 1) * strides[i]! + 1, step: strides[i]! };
      }),
    ]),
  );
  return stack(parts, 2);
}

function resolveWindows(
  x: Tensor,
  kernel: readonly number[],
  { stride, dilation = 1, padding = 0 }: WindowOptions,
  defaultStride: PerAxis,
  what: string,
): Windows {
  const spatial = x.rank - 2;
  const strides = perAxis(stride ?? defaultStride, spatial, `${what}: stride`);
  const dilations = perAxis(dilation, spatial, `${what}: dilation`);
  if (padding === 'same') {
    const total = strides.map((step, i) => {
      const size = x.shape[i + 2]!;
      return Math.max(0, (Math.ceil(size / step) - 1) * step + dilations[i]! * ((kernel[i] ?? 1) - 1) + 1 - size);
    });
    const before = total.map((zeros) => Math.floor(zeros / 2));
    return { strides, dilations, before, after: total.map((zeros, i) => zeros - before[i]!) };
  }
  const list = typeof padding === 'number' ? strides.map(() => padding) : padding;
  if (list.length !== spatial) {
    throw invalidInput(`${what}: padding has ${list.length} entries for ${spatial} spatial axes`);
  }
  const sides = list.map((entry) => (typeof entry === 'number' ? ([entry, entry] as const) : entry));
  return { strides, dilations, before: sides.map(([before]) => before), after: sides.map(([, after]) => after) };
}

function perAxis(value: PerAxis, spatial: number, what: string): readonly number[] {
  const list = typeof value === 'number' ? Array.from({ length: Math.max(spatial, 0) }, () => value) : value;
  if (list.length !== spatial) {
    throw invalidInput(`${what} has ${list.length} entries for ${spatial} spatial axes`);
  }
  return list;
}
