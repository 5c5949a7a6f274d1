import { addAll, maximum, mul, reciprocal, sqrt, squaredNorm, type Tensor } from '@crucible/tensor';
import { leavesOf, type TensorTree } from './tree.ts';

/** Euclidean norm over all leaves together. */
export function globalNorm(tree: TensorTree): Tensor {
  return sqrt(addAll([...leavesOf(tree).values()].map(squaredNorm)));
}

/**
 * What gradients of a global norm are to be multiplied by so that it is at most `largest` (Pascanu et al. 2013): a float
 * scalar.
 */
export function clipFactor(norm: Tensor, largest: number): Tensor {
  // min(1, largest / norm), without dividing by 0
  return reciprocal(maximum(mul(norm, 1 / largest), 1));
}
