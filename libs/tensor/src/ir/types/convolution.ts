import { invalidInput } from '@crucible/foundation';
import { formatShape } from '../../shape.ts';
import type { ConvolutionParams, Windows } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, expectShape, type TypeRules } from './rule.ts';

export const convolutionTypes: TypeRules<keyof ConvolutionParams> = {
  conv: ([x, weight, bias], params, primitive) => {
    const { spatial, kernel, filters } = expectWindows(x!, weight!, params, primitive);
    const [batch, channels] = x!.shape as [number, number];
    if (weight!.shape[1]! * params.groups !== channels) notInGroups(x!, weight!, params.groups, primitive);
    if (bias) expectShape(expectDtype(bias, ['float32'], primitive), [filters], 'conv: bias');
    const places = spatial.map((size, i) => placesOf(size, kernel[i]!, params, i));
    if (places.some((count) => count < 1)) {
      throw invalidInput(
        `conv: ${formatShape(x!.shape)} and weight ${formatShape(weight!.shape)}: the kernel does not fit into the padded input`,
      );
    }
    return { shape: [batch, filters, ...places], dtype: 'float32' };
  },
  convTranspose: ([y, weight], params, primitive) => {
    const { spatial, kernel, filters } = expectWindows(y!, weight!, params, primitive);
    const [batch, channels] = y!.shape as [number, number];
    if (filters !== channels) notInGroups(y!, weight!, params.groups, primitive);
    const { size, groups } = params;
    const fits = spatial.every((places, i) => placesOf(size[i]!, kernel[i]!, params, i) === places);
    if (!fits || size.length !== spatial.length) {
      throw invalidInput(
        `convTranspose: ${formatShape(y!.shape)} is not what weight ${formatShape(weight!.shape)} makes of ${formatShape(size)}`,
      );
    }
    return { shape: [batch, weight!.shape[1]! * groups, ...size], dtype: 'float32' };
  },
};

/** How many windows lie along a spatial axis. */
function placesOf(size: number, taps: number, { strides, dilations, before, after }: Windows, axis: number): number {
  const reach = dilations[axis]! * (taps - 1) + 1;
  return Math.floor((size + before[axis]! + after[axis]! - reach) / strides[axis]!) + 1;
}

function expectWindows(
  x: TensorType,
  weight: TensorType,
  { strides, dilations, before, after, groups }: Windows & { readonly groups: number },
  primitive: string,
): { spatial: readonly number[]; kernel: readonly number[]; filters: number } {
  expectDtype(x, ['float32'], primitive);
  expectDtype(weight, ['float32'], primitive);
  const spatial = x.shape.slice(2);
  const [filters, , ...kernel] = weight.shape as [number, number, ...number[]];
  if (spatial.length === 0 || kernel.length !== spatial.length || kernel.some((taps) => taps < 1)) {
    throw invalidInput(
      `${primitive}: ${formatShape(x.shape)} and weight ${formatShape(weight.shape)} are not [n, c, ...spatial] and ` +
        '[o, c / groups, ...kernel]',
    );
  }
  if (!Number.isInteger(groups) || groups < 1 || filters % groups !== 0) notInGroups(x, weight, groups, primitive);
  const whole = (list: readonly number[], least: number): boolean =>
    list.length === spatial.length && list.every((n) => Number.isInteger(n) && n >= least);
  if (!whole(strides, 1) || !whole(dilations, 1) || !whole(before, 0) || !whole(after, 0)) {
    throw invalidInput(
      `${primitive}: strides ${formatShape(strides)} and dilations ${formatShape(dilations)} are whole numbers from 1, ` +
        `padding ${formatShape(before)} and ${formatShape(after)} from 0, one for each of ${spatial.length} axes`,
    );
  }
  return { spatial, kernel, filters };
}

function notInGroups(x: TensorType, weight: TensorType, groups: number, primitive: string): never {
  throw invalidInput(
    `${primitive}: ${formatShape(x.shape)} and weight ${formatShape(weight.shape)} do not divide over ${groups} groups`,
  );
}
