import { flatten, isNdArray, type NdArray } from '@crucible/tensor';

/** Number of values in a tree of arrays. */
export function countValues(tree: object): number {
  return flatten<NdArray>(tree, isNdArray).reduce((sum, { leaf }) => sum + leaf.data.length, 0);
}
