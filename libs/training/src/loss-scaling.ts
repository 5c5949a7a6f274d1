/**
 * Dynamic scaling of the loss (Micikevicius et al. 2018, section 3.2): gradients of halves below 2⁻²⁴ would be 0, so the
 * loss is multiplied by a large number and its gradients, in float32, divided by it again. Where they overflow the number
 * is halved; after many steps without it is doubled. All of it is worked out in the program of the step, and stays where
 * the parameters are.
 */
import {
  abs,
  add,
  equal,
  less,
  maximum,
  minimum,
  mul,
  type NdArray,
  reciprocal,
  scalar,
  type Tensor,
  where,
} from '@crucible/tensor';

export interface LossScaling {
  /** What the loss of the first step is multiplied by. Default: 65,536. */
  readonly initial?: number;
  /** Steps without overflow after which it is doubled. Default: 2000. */
  readonly growthSteps?: number;
}

/** What is carried from step to step; nothing where the loss is not scaled. */
export type Scaling<Leaf> =
  | {
      readonly scale: Leaf;
      /** Steps since the last change. */
      readonly good: Leaf;
    }
  | Readonly<Record<string, never>>;

/** Gradients that overflow with it overflow in any case. */
export const smallestScale = 1;
const largestScale = 2 ** 24;

export function initialScaling({ initial = 2 ** 16 }: LossScaling = {}, resumed = initial): Scaling<NdArray> {
  return { scale: scalar(resumed), good: scalar(0) };
}

export function scaled(loss: Tensor, scaling: Scaling<Tensor>): Tensor {
  return 'scale' in scaling ? mul(loss, scaling.scale) : loss;
}

/** A norm of gradients of the scaled loss. */
export function unscaled(norm: Tensor, scaling: Scaling<Tensor>): Tensor {
  return 'scale' in scaling ? mul(norm, reciprocal(scaling.scale)) : norm;
}

/** After a step whose gradients have the given norm; below `smallestScale` there is no way on. */
export function nextScaling(
  scaling: Scaling<Tensor>,
  norm: Tensor,
  { growthSteps = 2000 }: LossScaling = {},
): Scaling<Tensor> {
  if (!('scale' in scaling)) return {};
  const { scale, good } = scaling as { readonly scale: Tensor; readonly good: Tensor };
  const isFinite = less(abs(norm), Infinity);
  const more = add(good, 1);
  const isDue = equal(more, growthSteps);
  const grown = where(isDue, minimum(mul(scale, 2), largestScale), scale);
  return {
    scale: where(isFinite, grown, maximum(mul(scale, 0.5), smallestScale / 2)),
    good: where(isFinite, where(isDue, 0, more), 0),
  };
}
