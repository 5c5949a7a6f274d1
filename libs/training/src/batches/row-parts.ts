/** Batches of packed rows in parts of a few rows, for steps that take the memory of one part. */
import { type PackedRows, rowBlocks } from '@crucible/inference';
import { type FloatArray, type IntArray, ints, type NdArray, zerosArray } from '@crucible/tensor';

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
  const { ids, positions, segments, branches, at, weights } = batch;
  const packed: PackedRows = { ids, positions, segments, branches };
  const columns = Object.entries<NdArray>(batch).filter(([name]) => name !== 'at' && !Object.hasOwn(packed, name));
  const count = weights.data.findLastIndex((weight) => weight > 0) + 1;
  const blocks = rowBlocks(packed, at.data.subarray(0, count), height);
  const learned = blocks.filter(({ asked }) => asked.length > 0);
  return (learned.length > 0 ? learned : blocks.slice(0, 1)).map((block) => {
    const length = columnLength(block.asked.length, block.rows.ids.data.length);
    const places = new Int32Array(length);
    places.set(block.at);
    const own = columns.map(([name, { dtype, data }]): [string, NdArray] => {
      const part = zerosArray(dtype, [length]);
      block.asked.forEach((index, i) => (part.data[i] = data[index]!));
      return [name, part];
    });
    return { ...block.rows, at: ints([length], places), ...Object.fromEntries(own) } as unknown as B;
  });
}
