import type { MovementParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { sub, sumTo } from '../../library/elementwise.ts';
import { dilate, flip, pad, reshape, sliceAxis, transpose } from '../../library/movement.ts';
import { sum } from '../../library/reduction.ts';
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
  // Zeros where nothing was taken
  slice: (y, dy) => {
    const { starts, steps } = y.params;
    const taken = steps === undefined ? dy : dilate(dy, steps);
    const after = y.inputs[0]!.shape.map((size, axis) => size - starts[axis]! - taken.shape[axis]!);
    return [pad(taken, starts, after)];
  },
  flip: (y, dy) => [flip(dy, y.params.axes)],
  // The value gets what is around
  pad: (y, dy) => {
    const [x, value] = y.inputs as [Tensor, Tensor | undefined];
    const { before } = y.params;
    const ends = x.shape.map((size, axis) => before[axis]! + size);
    const dx = dy.graph.node('slice', [dy], { starts: before, ends });
    return value ? [dx, sub(sum(dy), sum(dx))] : [dx];
  },
};
