/**
 * Packing: several short sequences share a row, so that little of a batch is padding, and neighbours that begin alike
 * (answers to one prompt) share their beginning, which is read once. Attention stays within a sequence, and positions
 * count from its first token, so a sequence's result does not depend on what else is in the batch.
 */
import { invalidInput } from '@crucible/foundation';
import { type IntArray, ints } from '@crucible/tensor';

/** The index of each token of a sequence in the batch, counted over all rows. */
export type Place = Int32Array;

export interface PackedRows {
  /** Token ids, int32 [rows, time]; free places hold the padding id. */
  readonly ids: IntArray;
  /** Position of each token in its sequence, int32 [rows, time]. */
  readonly positions: IntArray;
  /** Sequences that share a beginning, counted from 1 within their row; 0 is padding. int32 [rows, time]. */
  readonly segments: IntArray;
  /** What follows a shared beginning, counted from 1 within its segment; 0 is the beginning. int32 [rows, time]. */
  readonly branches: IntArray;
}

export interface Packing {
  readonly packed: PackedRows;
  /** The place of each sequence, in the order they were given. */
  readonly places: readonly Place[];
}

/** Sequences that begin alike: the beginning, and what follows it in each, at least one token. */
export interface Branches {
  readonly beginning: readonly number[];
  readonly rests: readonly (readonly number[])[];
  /** Tokens of all of it. */
  readonly length: number;
}

/**
 * Packs all sequences into as few rows of `time` tokens as first-fit decreasing finds, rounded up to a multiple of
 * `rowMultiple` (default: 1; `blockHeight(time)` makes all blocks of `rowBlocks` alike).
 */
export function packSequences(
  sequences: readonly (readonly number[])[],
  { time, pad, rowMultiple = 1 }: { readonly time: number; readonly pad: number; readonly rowMultiple?: number },
): Packing {
  const parts = neighboursAlike(sequences, time);
  const free: number[] = [];
  const rowOf = new Array<number>(parts.length);
  const order = parts.map((_part, i) => i).sort((a, b) => parts[b]!.length - parts[a]!.length || a - b);
  for (const i of order) {
    const { length } = parts[i]!;
    if (length > time) throw invalidInput(`a sequence of ${length} tokens does not fit a row of ${time}`);
    let row = free.findIndex((space) => space >= length);
    if (row === -1) row = free.push(time) - 1;
    free[row]! -= length;
    rowOf[i] = row;
  }
  const rows = Math.ceil(free.length / rowMultiple) * rowMultiple;
  const filler = new RowFiller(rows, time, pad);
  const places = parts.flatMap((part, i) => filler.place(rowOf[i]!, part));
  return { packed: filler.finish(), places };
}

/** A few of the rows of a packing, and what is asked of them. */
export interface RowBlock {
  readonly rows: PackedRows;
  /** Which of the places asked for lie in these rows: their indices in the list of all. */
  readonly asked: Int32Array;
  /** Those places, counted over the rows of the block. */
  readonly at: Int32Array;
}

/**
 * Rows of `time` tokens that are worked on at once: about a thousand tokens. More are no faster, and a program for each
 * number of rows would have to be compiled, and its memory fetched from the system, again and again.
 */
export function blockHeight(time: number): number {
  return Math.min(4, Math.max(1, Math.floor(1024 / time)));
}

/**
 * Packed rows in blocks of `height` rows (default: `blockHeight`), the last of which may be lower; `at` are places counted
 * over all rows.
 */
export function rowBlocks(
  packed: PackedRows,
  at: ArrayLike<number>,
  height = blockHeight(packed.ids.shape[1]!),
): RowBlock[] {
  const [rows, time] = packed.ids.shape as [number, number];
  const asked = Array.from({ length: Math.ceil(rows / height) }, (): number[] => []);
  for (let i = 0; i < at.length; i++) asked[Math.floor(at[i]! / (height * time))]!.push(i);
  return asked.map((indices, block) => {
    const [first, end] = [block * height, Math.min(rows, (block + 1) * height)];
    const part = ({ data }: IntArray): IntArray => ints([end - first, time], data.subarray(first * time, end * time));
    const { ids, positions, segments, branches } = packed;
    return {
      rows: { ids: part(ids), positions: part(positions), segments: part(segments), branches: part(branches) },
      asked: Int32Array.from(indices),
      at: Int32Array.from(indices, (i) => at[i]! - first * time),
    };
  });
}

/** Sequences that begin alike, as what they share and the rest of each. */
export function branchesOf(sequences: readonly (readonly number[])[]): Branches {
  const [first, ...others] = sequences as [readonly number[], ...(readonly number[])[]];
  const shared = others.length === 0 ? 0 : Math.min(...others.map((other) => sharedLength(first, other)));
  const rests = sequences.map((sequence) => sequence.slice(shared));
  return {
    beginning: first.slice(0, shared),
    rests,
    length: rests.reduce((sum, { length }) => sum + length, shared),
  };
}

/** Neighbours that share half of the first one's tokens or more, as far as a row of `time` tokens holds them. */
function neighboursAlike(sequences: readonly (readonly number[])[], time: number): Branches[] {
  const parts: Branches[] = [];
  for (let i = 0; i < sequences.length;) {
    const first = sequences[i]!;
    let part = branchesOf([first]);
    for (i++; i < sequences.length && 2 * sharedLength(first, sequences[i]!) >= first.length; i++) {
      const before = part.rests.map((rest) => [...part.beginning, ...rest]);
      const longer = branchesOf([...before, sequences[i]!]);
      if (longer.length > time) break;
      part = longer;
    }
    parts.push(part);
  }
  return parts;
}

/** How many tokens both begin with; at least one token of each is left. */
function sharedLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length) - 1;
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
}

/** Fills rows with sequences, one after the other. */
export class RowFiller {
  readonly #rows: number;
  readonly #time: number;
  readonly #ids: Int32Array;
  readonly #positions: Int32Array;
  readonly #segments: Int32Array;
  readonly #branches: Int32Array;
  readonly #used: Int32Array;
  readonly #sequences: Int32Array;

  constructor(rows: number, time: number, pad: number) {
    this.#rows = rows;
    this.#time = time;
    this.#ids = new Int32Array(rows * time).fill(pad);
    this.#positions = new Int32Array(rows * time);
    this.#segments = new Int32Array(rows * time);
    this.#branches = new Int32Array(rows * time);
    this.#used = new Int32Array(rows);
    this.#sequences = new Int32Array(rows);
  }

  /** Tokens that still fit into a row. */
  room(row: number): number {
    return this.#time - this.#used[row]!;
  }

  /** Puts sequences that begin alike into a row, and returns the place of each. */
  place(row: number, { beginning, rests }: Branches): Place[] {
    const segment = ++this.#sequences[row]!;
    const write = (tokens: readonly number[], branch: number, position: number): Int32Array => {
      const start = row * this.#time + this.#used[row]!;
      this.#used[row]! += tokens.length;
      return Int32Array.from(tokens, (id, i) => {
        const index = start + i;
        this.#ids[index] = id;
        this.#positions[index] = position + i;
        this.#segments[index] = segment;
        this.#branches[index] = branch;
        return index;
      });
    };
    const shared = write(beginning, 0, 0);
    return rests.map((rest, i) => Int32Array.of(...shared, ...write(rest, i + 1, beginning.length)));
  }

  finish(): PackedRows {
    const shape = [this.#rows, this.#time];
    return {
      ids: ints(shape, this.#ids),
      positions: ints(shape, this.#positions),
      segments: ints(shape, this.#segments),
      branches: ints(shape, this.#branches),
    };
  }
}
