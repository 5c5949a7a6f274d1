import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';

/**
 * The gradient of one primitive: given its node y and the gradient `dy` of the loss by y, the gradient by each input
 * (undefined: none flows there). Rules build ordinary nodes, so gradients differentiate again.
 */
export type GradientRule<P extends Primitive> = (y: Tensor<P>, dy: Tensor) => readonly (Tensor | undefined)[];

export type GradientRules<P extends Primitive> = { readonly [Q in P]: GradientRule<Q> };

/** For primitives that are flat, integer-valued or leaves. */
export const noGradient = (): readonly undefined[] => [];
