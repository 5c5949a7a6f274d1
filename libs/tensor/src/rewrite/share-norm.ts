/**
 * Normalisations of rows with a weight (and a bias), with the weight outside where the normalised rows are needed on
 * their own as well, as they are in the gradient: one normalisation then serves both. ONNX Runtime's kernel takes as
 * long as several passes over memory.
 */
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { add, mul } from '../library/elementwise.ts';
import { broadcastTo } from '../library/movement.ts';
import { layerNorm, rmsNorm } from '../library/neural.ts';
import { filledWith } from './simplify.ts';
import type { RewriteRule } from './rewrite.ts';

/** Brings weight and bias out of every normalisation. */
export const splitNorm: RewriteRule = (tensor) => {
  const [x, weight, bias] = tensor.inputs as [Tensor, Tensor, Tensor];
  if (isPlainNorm(tensor)) return undefined;
  if (isPrimitive(tensor, 'rmsNorm')) return mul(rmsNorm(x, filled(weight, 1), tensor.params.epsilon), weight);
  if (isPrimitive(tensor, 'layerNorm'))
    return add(mul(layerNorm(x, filled(weight, 1), filled(bias, 0), tensor.params.epsilon), weight), bias);
  return undefined;
};

/** Takes them in again where nothing else reads the normalised rows. */
export const joinNorm: RewriteRule = (tensor, uses) => {
  if (isPrimitive(tensor, 'mul')) {
    for (const [norm, weight] of bothWays(tensor)) {
      if (!isPrimitive(norm, 'rmsNorm') || !isPlainNorm(norm) || uses(norm) > 1) continue;
      if (weight.rank === 1) return rmsNorm(norm.inputs[0]!, weight, norm.params.epsilon);
    }
  }
  if (isPrimitive(tensor, 'add')) {
    for (const [scaled, bias] of bothWays(tensor)) {
      if (!isPrimitive(scaled, 'mul') || uses(scaled) > 1 || bias.rank !== 1) continue;
      for (const [norm, weight] of bothWays(scaled)) {
        if (!isPrimitive(norm, 'layerNorm') || !isPlainNorm(norm) || uses(norm) > 1) continue;
        if (weight.rank === 1) return layerNorm(norm.inputs[0]!, weight, bias, norm.params.epsilon);
      }
    }
  }
  return undefined;
};

/** Whether a normalisation has weight 1 and no bias. */
export function isPlainNorm(tensor: Tensor): boolean {
  const [, weight, bias] = tensor.inputs;
  if (isPrimitive(tensor, 'rmsNorm')) return filledWith(weight!) === 1;
  return isPrimitive(tensor, 'layerNorm') && filledWith(weight!) === 1 && filledWith(bias!) === 0;
}

function bothWays(tensor: Tensor): readonly (readonly [Tensor, Tensor])[] {
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  return [
    [a, b],
    [b, a],
  ];
}

function filled(like: Tensor, value: number): Tensor {
  return broadcastTo(like.graph.scalar(value), like.shape);
}
