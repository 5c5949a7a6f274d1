import type { Random } from '@crucible/foundation';
import type { ModelWeights } from '@crucible/nn';
import { floats, isNdArray, mapTree } from '@crucible/tensor';

/** For tests: a fresh model begins with matrices of zero, and nothing in it depends on anything; here they are random. */
export function withoutZeros(weights: ModelWeights, random: Random): ModelWeights {
  return mapTree(weights, isNdArray, (leaf) =>
    leaf.shape.length === 2 && leaf.data.every((value) => value === 0)
      ? floats(
          leaf.shape,
          Float32Array.from(leaf.data, () => 0.3 * random.normal()),
        )
      : leaf,
  ) as ModelWeights;
}
