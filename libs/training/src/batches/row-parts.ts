/** Batches of packed rows in parts of a few rows, for steps that take the memory of one part. */
import { type PackedRows, rowBlocks } from '@crucible/inference';
import { type FloatArray, type IntArray, ints, type NdArray } from '@crucible/tensor';

/** Packed rows, and columns [n] that say for each of n tokens what is learned there. */
export interface ColumnBatch extends PackedRows {
  readonly [column: string]: NdArray;
  /** Index of each of the tokens, counted over all rows, int32 [n]. */
  readonly at: IntArray;
  /** Weight of each in the loss; 0 for padding, which comes last. float32 [n]. */
  readonly weights: FloatArray;
}

/**
 * A batch in parts of `height` rows, without those in which nothing is learned: weights stay as they are, so that losses
 * and gradients of the parts add up to those of the batch. `columnLength` says how long the columns of a part are, given
 * how many tokens are learned in it and how many there are.
 */
export function rowParts<B extends ColumnBatch>(
  batch: B,
  height: number,
  columnLength: (learned: number, tokens: number) => number,
): B[] {
  const { ids, positions, segments, branches, at, ...columns } = batch;
  const count = batch.weights.data.findLastIndex((weight) => weight > 0) + 1;
  const blocks = rowBlocks({ ids, positions, segments, branches }, at.data.subarray(0, count), height);
  const learned = blocks.filter(({ asked }) => asked.length > 0);
  return (learned.length > 0 ? learned : blocks.slice(0, 1)).map((block) => {
    const length = columnLength(block.asked.length, block.rows.ids.data.length);
    const places = new Int32Array(length);
    places.set(block.at);
    const own = Object.entries(columns).map(([name, { dtype, data }]) => {
      const values = new (data.constructor as new (length: number) => typeof data)(length);
      block.asked.forEach((index, i) => (values[i] = data[index]!));
      return [name, { dtype, shape: [length], data: values }] as const;
    });
    return { ...block.rows, at: ints([length], places), ...Object.fromEntries(own) } as B;
  });
}
