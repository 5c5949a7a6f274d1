/**
 * Applying merges to the tokens of one piece: always the merge of the lowest rank, the leftmost first, until none is
 * left.
 */
import { Heap } from './heap.ts';
import type { PieceTokens } from './model.ts';

/** Token `left` followed by token `right` becomes token `merged`. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** Above every token id; a pair of ids below it has an exact numeric key. */
export const maximumVocabSize = 2 ** 20;

/** One number for a pair of token ids; keys are ordered as the pairs are. */
export function pairKey(left: number, right: number): number {
  return left * maximumVocabSize + right;
}

/** Merges by pair; the rank of a merge is its place in the list. Of two for the same pair the later counts. */
export class MergeTable {
  readonly #merged: Uint32Array;
  /** Open addressing: a slot holds a pair and its rank; left is -1 where it is free. */
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  readonly #ranks: Int32Array;
  readonly #mask: number;

  constructor(merges: readonly Merge[]) {
    this.#merged = Uint32Array.from(merges, (merge) => merge.merged);
    const size = 2 ** Math.ceil(Math.log2(2 * merges.length + 2));
    this.#mask = size - 1;
    this.#lefts = new Int32Array(size).fill(-1);
    this.#rights = new Int32Array(size);
    this.#ranks = new Int32Array(size);
    for (const [rank, { left, right }] of merges.entries()) {
      const slot = this.#slot(left, right);
      this.#lefts[slot] = left;
      this.#rights[slot] = right;
      this.#ranks[slot] = rank;
    }
  }

  /** -1 where there is no merge. */
  rank(left: number, right: number): number {
    const slot = this.#slot(left, right);
    return this.#lefts[slot] === -1 ? -1 : this.#ranks[slot]!;
  }

  merged(rank: number): number {
    return this.#merged[rank]!;
  }

  /** Where a pair is, or would be. */
  #slot(left: number, right: number): number {
    let slot = Math.imul(left, 0x9e37_79b1) ^ Math.imul(right, 0x85eb_ca6b);
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#lefts[slot] !== -1 && (this.#lefts[slot] !== left || this.#rights[slot] !== right)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

/** Merges tokens as far as it goes, in place. */
export function mergeTokens(tokens: PieceTokens, table: MergeTable): void {
  // Where the two cost about the same.
  if (tokens.ids.length <= 48) mergeShort(tokens, table);
  else mergeLong(tokens, table);
}

/** Looks through all pairs for every merge: quadratic, and the fastest for words of ordinary length. */
export function mergeShort({ ids, starts, ends }: PieceTokens, table: MergeTable): void {
  const ranks: number[] = [];
  for (let at = 0; at + 1 < ids.length; at++) ranks.push(table.rank(ids[at]!, ids[at + 1]!));
  for (;;) {
    let best = -1;
    let at = -1;
    for (let i = 0; i < ranks.length; i++) {
      const rank = ranks[i]!;
      if (rank >= 0 && (best < 0 || rank < best)) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return;
    ids[at] = table.merged(best);
    ids.splice(at + 1, 1);
    starts.splice(at + 1, 1);
    ends.splice(at, 1);
    ranks.splice(at, 1);
    if (at > 0) ranks[at - 1] = table.rank(ids[at - 1]!, ids[at]!);
    if (at < ranks.length) ranks[at] = table.rank(ids[at]!, ids[at + 1]!);
  }
}

const positions = 2 ** 32;
const dead = -1;

/** A heap over a linked list: O(n log n), so that a word of a megabyte costs no more a byte than a sentence does. */
export function mergeLong({ ids, starts, ends }: PieceTokens, table: MergeTable): void {
  const size = ids.length;
  const next = Int32Array.from(ids, (_, i) => i + 1);
  const previous = Int32Array.from(ids, (_, i) => i - 1);
  // An entry is rank * 2^32 + position: the smallest is the lowest rank, and among equals the leftmost position.
  const queue = new Heap<number>((a, b) => a < b);
  const enqueue = (at: number): void => {
    if (at < 0 || next[at]! >= size) return;
    const rank = table.rank(ids[at]!, ids[next[at]!]!);
    if (rank >= 0) queue.push(rank * positions + at);
  };
  for (let at = 0; at + 1 < size; at++) enqueue(at);

  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const rank = Math.floor(entry / positions);
    const at = entry - rank * positions;
    const right = next[at]!;
    // The tokens may have changed since the entry was made.
    if (ids[at] === dead || right >= size || table.rank(ids[at]!, ids[right]!) !== rank) continue;
    ids[at] = table.merged(rank);
    ends[at] = ends[right]!;
    ids[right] = dead;
    next[at] = next[right]!;
    if (next[at] < size) previous[next[at]] = at;
    enqueue(previous[at]!);
    enqueue(at);
  }

  let kept = 0;
  for (let at = 0; at < size; at = next[at]!) {
    ids[kept] = ids[at]!;
    starts[kept] = starts[at]!;
    ends[kept++] = ends[at]!;
  }
  ids.length = starts.length = ends.length = kept;
}
