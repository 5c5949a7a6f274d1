import type { ReductionParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { cast, div, equal, mul } from '../../library/elementwise.ts';
import { broadcastTo, reshape } from '../../library/movement.ts';
import { cumulativeSum, softmax, sum } from '../../library/reduction.ts';
import { type GradientRules, noGradient } from '../rule.ts';

export const reductionGradients: GradientRules<keyof ReductionParams> = {
  // Every summand gets the gradient of the sum
  sum: (y, dy) => [broadcastTo(keepAxes(y, dy), y.inputs[0]!.shape)],
  // The largest element gets it; several equal ones share it evenly
  max: extremum,
  min: extremum,
  // d log Σ exp x = softmax(x) · dx
  logSumExp: (y, dy) => [mul(softmax(y.inputs[0]!), dy)],
  // Element i reaches every later sum, so the gradient runs the other way
  cumulativeSum: (y, dy) => [cumulativeSum(dy, { ...y.params, reverse: !y.params.reverse })],
  argMax: noGradient,
  argMin: noGradient,
};

function extremum(y: Tensor<'max' | 'min'>, dy: Tensor): readonly Tensor[] {
  const x = y.inputs[0]!;
  const isExtreme = cast(equal(x, keepAxes(y, y)), 'float32');
  const count = sum(isExtreme, { axes: y.params.axes, keepDims: true });
  return [mul(isExtreme, div(keepAxes(y, dy), count))];
}

/** `value`, shaped like the result, with the reduced axes put back at size 1. */
function keepAxes(y: Tensor<'sum' | 'max' | 'min'>, value: Tensor): Tensor {
  const { axes } = y.params;
  return reshape(
    value,
    y.inputs[0]!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  );
}
