/** Batches for next-token losses over chosen tokens: the logits of other tokens are never computed. */
import { floats, type IntArray, ints } from '@crucible/tensor';
import type { PackedRows, Place } from '@crucible/inference';
import { type ColumnBatch, rowParts } from './row-parts.ts';

/** `at` are the tokens after which targets come. */
export interface PredictionBatch extends ColumnBatch {
  /** Token to predict, int32 [targets]. */
  readonly targets: IntArray;
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

/** A batch whose weights make the loss the weighted mean over all targets. */
export function predictionBatch(packed: PackedRows, targets: readonly Target[]): PredictionBatch {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  const length = paddedCount(targets.length, packed.ids.data.length);
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

/** A batch in `parts` of as many rows, which its rows must divide into: see `rowParts`. */
export function predictionParts(batch: PredictionBatch, parts: number): PredictionBatch[] {
  return parts === 1 ? [batch] : rowParts(batch, batch.ids.shape[0]! / parts, paddedCount);
}

/** The number of targets is padded to a multiple of a quarter of the batch's tokens, so that few shapes need compiling. */
function paddedCount(targets: number, tokens: number): number {
  const quarter = Math.ceil(tokens / 4);
  return Math.max(1, Math.ceil(targets / quarter)) * quarter;
}
