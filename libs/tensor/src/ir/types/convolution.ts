import { invalidInput } from '@crucible/foundation';
import { formatShape } from '../../shape.ts';
import type { ConvolutionParams } from '../primitive.ts';
import { expectDtype, expectShape, type TypeRules } from './rule.ts';

export const convolutionTypes: TypeRules<keyof ConvolutionParams> = {
  conv: ([x, weight, bias], { strides, dilations, before, after, groups }, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    expectDtype(weight!, ['float32'], primitive);
    const [batch, channels, ...spatial] = x!.shape as [number, number, ...number[]];
    const [filters, perGroup, ...kernel] = weight!.shape as [number, number, ...number[]];
    const shapes = `${formatShape(x!.shape)} and weight ${formatShape(weight!.shape)}`;
    if (spatial.length === 0 || kernel.length !== spatial.length) {
      throw invalidInput(`conv: ${shapes} are not [n, c, ...spatial] and [o, c / groups, ...kernel]`);
    }
    if (!Number.isInteger(groups) || groups < 1 || perGroup * groups !== channels || filters % groups !== 0) {
      throw invalidInput(`conv: ${shapes} do not divide over ${groups} groups`);
    }
    const whole = (list: readonly number[], least: number): boolean =>
      list.length === spatial.length && list.every((n) => Number.isInteger(n) && n >= least);
    if (!whole(strides, 1) || !whole(dilations, 1) || !whole(before, 0) || !whole(after, 0)) {
      throw invalidInput(
        `conv: strides ${formatShape(strides)} and dilations ${formatShape(dilations)} are whole numbers from 1, ` +
          `padding ${formatShape(before)} and ${formatShape(after)} from 0, one for each of ${spatial.length} axes`,
      );
    }
    if (bias) expectShape(expectDtype(bias, ['float32'], primitive), [filters], 'conv: bias');
    const places = spatial.map((size, i) => {
      const reach = dilations[i]! * (kernel[i]! - 1) + 1;
      return Math.floor((size + before[i]! + after[i]! - reach) / strides[i]!) + 1;
    });
    if (places.some((count) => count < 1) || kernel.some((size) => size < 1)) {
      throw invalidInput(`conv: ${shapes}: the kernel does not fit into the padded input`);
    }
    return { shape: [batch, filters, ...places], dtype: 'float32' };
  },
};
