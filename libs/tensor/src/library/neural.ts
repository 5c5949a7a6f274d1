import type { Tensor } from '../ir/tensor.ts';
import { sub } from './elementwise.ts';
import { takeAlong } from './indexing.ts';
import { reshape } from './movement.ts';
import { logSumExp } from './reduction.ts';

/** Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019), times `weight` [d]. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return x.graph.node('rmsNorm', [x, weight], { epsilon });
}

/** Layer normalisation over the last axis (Ba et al. 2016), times `weight` [d] plus `bias` [d]. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return x.graph.node('layerNorm', [x, weight, bias], { epsilon });
}

/**
 * Rotary position embedding (Su et al. 2021), half-split as in Llama. x [batch, time, heads · d]; positions int32
 * [batch, time]; cos and sin [positions, d / 2], through which no gradient flows.
 */
export function rotary(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor {
  return x.graph.node('rotary', [x, positions, cos, sin], { heads });
}

/** log p(target) under softmax(logits): logits [..., v], targets int32 [...] → [...], in nats. */
export function logProbability(logits: Tensor, targets: Tensor): Tensor {
  // As a matrix: the gradient then meets the matrix product that made the logits without a change of shape.
  const rows = reshape(logits, [-1, logits.shape[logits.rank - 1]!]);
  const chosen = takeAlong(rows, reshape(targets, [-1, 1]));
  return reshape(sub(chosen, logSumExp(rows, { axes: -1, keepDims: true })), targets.shape);
}
