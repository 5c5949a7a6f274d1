/**
 * Packing: several short sequences share a row, so that little of a batch is padding. Each sequence has its own segment
 * number and positions from 0, and attention stays within a segment, so a sequence's result does not depend on its
 * neighbours.
 */
import { invalidInput } from '@crucible/foundation';
import { type IntArray, ints } from '@crucible/tensor';

/** Where a sequence lies: its first token's index in the batch, counted over all rows. */
export interface Place {
  readonly start: number;
  readonly length: number;
}

export interface PackedRows {
  /** Token ids, int32 [rows, time]; free places hold the padding id. */
  readonly ids: IntArray;
  /** Position of each token in its sequence, int32 [rows, time]. */
  readonly positions: IntArray;
  /** Sequence of each token, counted from 1 within its row; 0 is padding. int32 [rows, time]. */
  readonly segments: IntArray;
}

export interface Packing {
  readonly packed: PackedRows;
  /** The place of each sequence, in the order they were given. */
  readonly places: readonly Place[];
}

/**
 * Packs all sequences into as few rows of `time` tokens as first-fit decreasing finds, rounded up to a multiple of
 * `rowMultiple` (default: 1) so that few shapes need compiling.
 */
export function packSequences(
  sequences: readonly (readonly number[])[],
  { time, pad, rowMultiple = 1 }: { readonly time: number; readonly pad: number; readonly rowMultiple?: number },
): Packing {
  const free: number[] = [];
  const rowOf = new Array<number>(sequences.length);
  const order = sequences.map((_sequence, i) => i).sort((a, b) => sequences[b]!.length - sequences[a]!.length || a - b);
  for (const i of order) {
    const { length } = sequences[i]!;
    if (length > time) throw invalidInput(`a sequence of ${length} tokens does not fit a row of ${time}`);
    let row = free.findIndex((space) => space >= length);
    if (row === -1) row = free.push(time) - 1;
    free[row]! -= length;
    rowOf[i] = row;
  }
  const rows = Math.ceil(free.length / rowMultiple) * rowMultiple;
  const filler = new RowFiller(rows, time, pad);
  const places = sequences.map((sequence, i) => filler.place(rowOf[i]!, sequence));
  return { packed: filler.finish(), places };
}

/** Fills rows with sequences, one after the other. */
export class RowFiller {
  readonly #rows: number;
  readonly #time: number;
  readonly #ids: Int32Array;
  readonly #positions: Int32Array;
  readonly #segments: Int32Array;
  readonly #used: Int32Array;
  readonly #sequences: Int32Array;

  constructor(rows: number, time: number, pad: number) {
    this.#rows = rows;
    this.#time = time;
    this.#ids = new Int32Array(rows * time).fill(pad);
    this.#positions = new Int32Array(rows * time);
    this.#segments = new Int32Array(rows * time);
    this.#used = new Int32Array(rows);
    this.#sequences = new Int32Array(rows);
  }

  /** Tokens that still fit into a row. */
  room(row: number): number {
    return this.#time - this.#used[row]!;
  }

  place(row: number, sequence: readonly number[]): Place {
    const start = row * this.#time + this.#used[row]!;
    const segment = ++this.#sequences[row]!;
    sequence.forEach((id, i) => {
      this.#ids[start + i] = id;
      this.#positions[start + i] = i;
      this.#segments[start + i] = segment;
    });
    this.#used[row]! += sequence.length;
    return { start, length: sequence.length };
  }

  finish(): PackedRows {
    const shape = [this.#rows, this.#time];
    return {
      ids: ints(shape, this.#ids),
      positions: ints(shape, this.#positions),
      segments: ints(shape, this.#segments),
    };
  }
}
