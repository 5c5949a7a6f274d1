import type { ControlParams, Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';

/**
 * The gradient of one primitive: given its node y and the gradient `dy` of the loss by y, the gradient by each input
 * (undefined: none flows there). Rules build ordinary nodes, so gradients differentiate again.
 */
export type GradientRule<P extends Primitive> = (y: Tensor<P>, dy: Tensor) => readonly (Tensor | undefined)[];

export type GradientRules<P extends Primitive> = { readonly [Q in P]: GradientRule<Q> };

/** For primitives that are flat, integer-valued or leaves. */
export const noGradient = (): readonly undefined[] => [];

/**
 * The gradients of a scalar by `targets`, given those by `outputs` (undefined: none). Undefined where the outputs do not
 * depend on a target.
 */
export type Pullback = (
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | undefined)[],
  targets: readonly Tensor[],
) => (Tensor | undefined)[];

export interface ControlContext {
  /** By which inputs of the node a gradient is wanted. */
  readonly wanted: readonly boolean[];
  /** Differentiates the programs within the node. */
  readonly pullback: Pullback;
}

/** Like `GradientRule`, for a node with several results; `dys` has the gradient by each (undefined: none). */
export type ControlRule<P extends keyof ControlParams> = (
  y: Tensor<P>,
  dys: readonly (Tensor | undefined)[],
  context: ControlContext,
) => readonly (Tensor | undefined)[];

export type ControlRules = { readonly [P in keyof ControlParams]: ControlRule<P> };
