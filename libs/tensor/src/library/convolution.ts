import { invalidInput } from '@crucible/foundation';
import type { Tensor } from '../ir/tensor.ts';
import { formatShape } from '../shape.ts';
import { onesLike } from './creation.ts';
import { add, div } from './elementwise.ts';
import { dilate, flip, pad, reshape, slice, sliceAxis, stack, transpose } from './movement.ts';
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
  const y = spreadWindows(x, weight, { ...windows, groups }, size);
  return bias === undefined ? y : add(y, reshape(bias, [-1, ...size.map(() => 1)]));
}

export interface Windows {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * The transpose of `conv` as a linear map of its input, whose spatial sizes were `size`: dy [n, o, ...] and the
 * convolution's weight [o, c / groups, ...kernel] → [n, c, ...size].
 *
 * A convolution itself, so that it differentiates again: of dy with zeros between its elements, with the kernel flipped
 * and its channels exchanged.
 */
export function spreadWindows(
  dy: Tensor,
  weight: Tensor,
  { strides, dilations, before, groups }: Windows & { readonly groups: number },
  size: readonly number[],
): Tensor {
  const [filters, perGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  const apart = dilate(dy, [1, 1, ...strides]);
  const reach = kernel.map((taps, i) => dilations[i]! * (taps - 1));
  const padding = size.map((n, i): [number, number] => {
    const front = reach[i]! - before[i]!;
    return [front, n + reach[i]! - front - apart.shape[i + 2]!];
  });
  const grouped = reshape(weight, [groups, filters / groups, perGroup, ...kernel]);
  const exchanged = reshape(transpose(grouped, [0, 2, 1, ...kernel.map((_taps, i) => i + 3)]), [
    groups * perGroup,
    filters / groups,
    ...kernel,
  ]);
  const flipped = flip(
    exchanged,
    kernel.map((_taps, i) => i + 2),
  );
  // Negative padding is left out of the input.
  const cropped = slice(apart, [
    undefined,
    undefined,
    ...padding.map(([front, back], i) => ({
      start: Math.max(0, -front),
      end: apart.shape[i + 2]! - Math.max(0, -back),
    })),
  ]);
  return conv(cropped, flipped, {
    dilation: dilations,
    groups,
    padding: padding.map(([front, back]): [number, number] => [Math.max(0, front), Math.max(0, back)]),
  });
}

export interface PoolOptions extends WindowOptions {
  /** Elements of a window along each spatial axis. */
  readonly size: PerAxis;
}

/** The largest element of each window of x [n, c, ...spatial]; several that are largest share the gradient evenly. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  return max(windowsOf(x, options, -Infinity, 'maxPool'), { axes: -1 });
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether the zeros around `x` are part of an average. Default: false. */
  readonly countPadding?: boolean;
}

/** The mean of each window of x [n, c, ...spatial]. */
export function averagePool(x: Tensor, options: AveragePoolOptions): Tensor {
  const total = (of: Tensor): Tensor => sum(windowsOf(of, options, 0, 'averagePool'), { axes: -1 });
  const counted = options.countPadding === true;
  if (counted)
    return div(
      total(x),
      perAxis(options.size, x.rank - 2, 'averagePool: size').reduce((a, b) => a * b, 1),
    );
  const one = onesLike(sliceAxis(sliceAxis(x, 0, 0, 1), 1, 0, 1));
  return div(total(x), total(one));
}

/** The elements of each window, side by side in a new last axis; `around` is what stands around x. */
function windowsOf(x: Tensor, options: PoolOptions, around: number, what: string): Tensor {
  const spatial = x.rank - 2;
  const kernel = perAxis(options.size, spatial, `${what}: size`);
  const { strides, dilations, before, after } = resolveWindows(x, kernel, options, kernel, what);
  const needsPadding = [...before, ...after].some((n) => n > 0);
  const padded = needsPadding ? pad(x, [0, 0, ...before], [0, 0, ...after], { value: around }) : x;
  const places = kernel.map(
    (taps, i) => Math.floor((padded.shape[i + 2]! - dilations[i]! * (taps - 1) - 1) / strides[i]!) + 1,
  );
  if (spatial < 1 || places.some((count) => count < 1)) {
    throw invalidInput(
      `${what}: windows of ${formatShape(kernel)} do not fit into ${formatShape(x.shape)}, [n, c, ...spatial]`,
    );
  }
  // One strided slice for each element of a window
  let offsets: number[][] = [[]];
  for (const taps of kernel) {
    offsets = offsets.flatMap((offset) => Array.from({ length: taps }, (_, i) => [...offset, i]));
  }
  const parts = offsets.map((offset) =>
    slice(padded, [
      undefined,
      undefined,
      ...offset.map((tap, i) => {
        const start = tap * dilations[i]!;
        return { start, end: start + (places[i]! - 1) * strides[i]! + 1, step: strides[i]! };
      }),
    ]),
  );
  return stack(parts, x.rank);
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
