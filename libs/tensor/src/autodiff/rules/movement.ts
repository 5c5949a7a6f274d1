import type { MovementParams } from '../../ir/primitive.ts';
import { sumTo } from '../../library/elementwise.ts';
import { pad, reshape, sliceAxis, transpose } from '../../library/movement.ts';
import type { GradientRules } from '../rule.ts';

export const movementGradients: GradientRules<keyof MovementParams> = {
  reshape: (y, dy) => [reshape(dy, y.inputs[0]!.shape)],
  transpose: (y, dy) => {
    const inverse = y.params.permutation.map((_axis, i) => y.params.permutation.indexOf(i));
    return [transpose(dy, inverse)];
  },
  broadcast: (y, dy) => [sumTo(dy, y.inputs[0]!.shape)],
  concat: (y, dy) => {
    const { axis } = y.params;
    let start = 0;
    return y.inputs.map((input) => sliceAxis(dy, axis, start, (start += input.shape[axis]!)));
  },
  slice: (y, dy) => {
    const { starts, ends } = y.params;
    const after = y.inputs[0]!.shape.map((size, axis) => size - ends[axis]!);
    return [pad(dy, starts, after)];
  },
  pad: (y, dy) => {
    const { before } = y.params;
    const ends = y.inputs[0]!.shape.map((size, axis) => before[axis]! + size);
    return [dy.graph.node('slice', [dy], { starts: before, ends })];
  },
};
