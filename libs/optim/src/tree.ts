import { flatten, isTensor, mapTree, type Tensor } from '@crucible/tensor';

/** A tree of symbolic tensors: parameters, gradients, optimizer state. */
export type TensorTree = object;

/** Leaves by path. */
export function leavesOf(tree: TensorTree): Map<string, Tensor> {
  return new Map(flatten(tree, isTensor).map(({ path, leaf }) => [path, leaf]));
}

/** A tree of the form of `like` with the leaf at each path replaced. */
export function withLeaves<T extends TensorTree>(like: T, leaf: (path: string, old: Tensor) => Tensor): T {
  return mapTree(like, isTensor, (old, path) => leaf(path, old)) as T;
}
