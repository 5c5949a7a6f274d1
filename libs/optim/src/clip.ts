import { addAll, maximum, mul, reciprocal, sqrt, squaredNorm, type Tensor } from '@crucible/tensor';
import { leavesOf, type TensorTree, withLeaves } from './tree.ts';

/** Euclidean norm over all leaves together. */
export function globalNorm(tree: TensorTree): Tensor {
  return sqrt(addAll([...leavesOf(tree).values()].map(squaredNorm)));
}

/**
 * Scales all gradients by one factor so that their global norm is at most `largest` (Pascanu et al. 2013). Returns the
 * norm before clipping as well.
 */
export function clipByGlobalNorm<T extends TensorTree>(gradients: T, largest: number): { clipped: T; norm: Tensor } {
  const norm = globalNorm(gradients);
  // min(1, largest / norm), without dividing by 0
  const factor = reciprocal(maximum(mul(norm, 1 / largest), 1));
  return { clipped: withLeaves(gradients, (_path, gradient) => mul(gradient, factor)), norm };
}
