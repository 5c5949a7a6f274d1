/** Batches for next-token losses over chosen tokens: the logits of other tokens are never computed. */
import { floats, type FloatArray, type IntArray, ints, type NdArray } from '@crucible/tensor';
import type { PackedRows, Place } from '@crucible/inference';

export interface PredictionBatch extends PackedRows {
  readonly [name: string]: NdArray;
  /** Index, over all rows, of the token after which each target comes, int32 [targets]. */
  readonly at: IntArray;
  /** Token to predict, int32 [targets]. */
  readonly targets: IntArray;
  /** Weight of each target in the mean; 0 for padding, float32 [targets]. */
  readonly weights: FloatArray;
}

export interface Target {
  readonly at: number;
  readonly id: number;
  /** Relative to the other targets of the batch. */
  readonly weight: number;
}

/**
 * The tokens of a placed sequence that `chosen` marks, as targets; the first token can be none. The n-th token of a
 * run of marked ones (an answer) weighs 1/√n.
 */
export function targetsOf(sequence: readonly number[], chosen: readonly boolean[], place: Place): Target[] {
  const targets: Target[] = [];
  for (let i = 1; i < sequence.length;) {
    for (let n = 1; i < sequence.length && chosen[i]; i++, n++) {
      targets.push({ at: place[i - 1]!, id: sequence[i]!, weight: 1 / Math.sqrt(n) });
    }
    i++;
  }
  return targets;
}

/**
 * A batch whose weights make the loss the weighted mean over all targets. The number of targets is padded to a multiple of
 * a quarter of the batch's tokens, so that few shapes need compiling. `total`: weight of the whole, when this is a part.
 */
export function predictionBatch(
  packed: PackedRows,
  targets: readonly Target[],
  total = targets.reduce((sum, { weight }) => sum + weight, 0),
): PredictionBatch {
  const quarter = Math.ceil(packed.ids.data.length / 4);
  const length = Math.max(1, Math.ceil(targets.length / quarter)) * quarter;
  const at = new Int32Array(length);
  const ids = new Int32Array(length);
  const weights = new Float32Array(length);
  targets.forEach((target, i) => {
    at[i] = target.at;
    ids[i] = target.id;
    weights[i] = target.weight / total;
  });
  return { ...packed, at: ints([length], at), targets: ints([length], ids), weights: floats([length], weights) };
}
