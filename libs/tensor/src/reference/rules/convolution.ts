import type { ConvolutionParams } from '../../ir/primitive.ts';
import { stridesOf } from '../../shape.ts';
import { forEachIndex, type ReferenceRules } from './rule.ts';

export const convolutionReference: ReferenceRules<keyof ConvolutionParams> = {
  conv: (y, [x, weight, bias], { strides, dilations, before, groups }) => {
    const [xStrides, wStrides] = [stridesOf(x!.shape), stridesOf(weight!.shape)];
    const perGroup = weight!.shape[1]!;
    const filtersPerGroup = weight!.shape[0]! / groups;
    const window = weight!.shape.slice(1);
    forEachIndex(y.shape, ([n, filter, ...place], i) => {
      let total = bias?.data[filter!] ?? 0;
      const first = Math.floor(filter! / filtersPerGroup) * perGroup;
      forEachIndex(window, ([channel, ...offset]) => {
        let at = n! * xStrides[0]! + (first + channel!) * xStrides[1]!;
        let tap = filter! * wStrides[0]! + channel! * wStrides[1]!;
        for (let axis = 0; axis < place.length; axis++) {
          const position = place[axis]! * strides[axis]! + offset[axis]! * dilations[axis]! - before[axis]!;
          if (position < 0 || position >= x!.shape[axis + 2]!) return;
          at += position * xStrides[axis + 2]!;
          tap += offset[axis]! * wStrides[axis + 2]!;
        }
        total += x!.data[at]! * weight!.data[tap]!;
      });
      y.data[i] = total;
    });
  },
};
