import type { ConvolutionParams, Windows } from '../../ir/primitive.ts';
import { type Shape, stridesOf } from '../../shape.ts';
import { forEachIndex, type ReferenceRules } from './rule.ts';

export const convolutionReference: ReferenceRules<keyof ConvolutionParams> = {
  conv: (y, [x, weight, bias], params) => {
    forEachIndex(y.shape, ([, filter], i) => (y.data[i] = bias?.data[filter!] ?? 0));
    forEachTap(x!.shape, weight!.shape, y.shape, params, (inX, inWeight, inY) => {
      y.data[inY]! += x!.data[inX]! * weight!.data[inWeight]!;
    });
  },
  convTranspose: (x, [y, weight], params) => {
    forEachTap(x.shape, weight!.shape, y!.shape, params, (inX, inWeight, inY) => {
      x.data[inX]! += y!.data[inY]! * weight!.data[inWeight]!;
    });
  },
};

/** Visits each element of each window of x, with the element of the weight that meets it and the place that it counts for. */
function forEachTap(
  x: Shape,
  weight: Shape,
  y: Shape,
  { strides, dilations, before, groups }: Windows & { readonly groups: number },
  visit: (inX: number, inWeight: number, inY: number) => void,
): void {
  const [xStrides, wStrides] = [stridesOf(x), stridesOf(weight)];
  const [filters, perGroup] = weight as [number, number];
  forEachIndex(y, ([n, filter, ...place], inY) => {
    const first = Math.floor(filter! / (filters / groups)) * perGroup;
    forEachIndex(weight.slice(1), ([channel, ...offset]) => {
      let inX = n! * xStrides[0]! + (first + channel!) * xStrides[1]!;
      let inWeight = filter! * wStrides[0]! + channel! * wStrides[1]!;
      for (let axis = 0; axis < place.length; axis++) {
        const position = place[axis]! * strides[axis]! + offset[axis]! * dilations[axis]! - before[axis]!;
        if (position < 0 || position >= x[axis + 2]!) return;
        inX += position * xStrides[axis + 2]!;
        inWeight += offset[axis]! * wStrides[axis + 2]!;
      }
      visit(inX, inWeight, inY);
    });
  });
}
