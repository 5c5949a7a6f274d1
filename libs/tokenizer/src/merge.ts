/**
 * Applying merges to the symbols of one piece: always the merge of the lowest rank, the leftmost first, until none is
 * left.
 */
import { Heap } from './heap.ts';

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

/** Merges by pair; the rank of a merge is its place in the list. */
export class MergeTable {
  readonly #rankOfPair = new Map<number, number>();
  readonly #merged: Uint32Array;

  constructor(merges: readonly Merge[]) {
    this.#merged = Uint32Array.from(merges, (merge) => merge.merged);
    for (const [rank, { left, right }] of merges.entries()) this.#rankOfPair.set(pairKey(left, right), rank);
  }

  rank(left: number, right: number): number | undefined {
    return this.#rankOfPair.get(pairKey(left, right));
  }

  merged(rank: number): number {
    return this.#merged[rank]!;
  }
}

/** Merges `symbols` as far as it goes, in place; returns them. */
export function mergeSymbols(symbols: number[], table: MergeTable): number[] {
  // Where the two cost about the same.
  return symbols.length <= 48 ? mergeShort(symbols, table) : mergeLong(symbols, table);
}

/** Looks through all pairs for every merge: quadratic, and the fastest for words of ordinary length. */
export function mergeShort(symbols: number[], table: MergeTable): number[] {
  const ranks: number[] = [];
  const rank = (at: number): number => table.rank(symbols[at]!, symbols[at + 1]!) ?? Infinity;
  for (let at = 0; at + 1 < symbols.length; at++) ranks.push(rank(at));
  for (;;) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i < ranks.length; i++) {
      if (ranks[i]! < best) {
        best = ranks[i]!;
        at = i;
      }
    }
    if (at < 0) return symbols;
    symbols[at] = table.merged(best);
    symbols.splice(at + 1, 1);
    ranks.splice(at, 1);
    if (at > 0) ranks[at - 1] = rank(at - 1);
    if (at < ranks.length) ranks[at] = rank(at);
  }
}

const positions = 2 ** 32;
const dead = -1;

/** A heap over a linked list: O(n log n), so that a word of a megabyte costs no more a byte than a sentence does. */
export function mergeLong(symbols: number[], table: MergeTable): number[] {
  const size = symbols.length;
  const next = Int32Array.from(symbols, (_, i) => i + 1);
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  // An entry is rank * 2^32 + position: the smallest is the lowest rank, and among equals the leftmost position.
  const queue = new Heap<number>((a, b) => a < b);
  const enqueue = (at: number): void => {
    if (at < 0 || next[at]! >= size) return;
    const rank = table.rank(symbols[at]!, symbols[next[at]!]!);
    if (rank !== undefined) queue.push(rank * positions + at);
  };
  for (let at = 0; at + 1 < size; at++) enqueue(at);

  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const rank = Math.floor(entry / positions);
    const at = entry - rank * positions;
    const right = next[at]!;
    // The symbols may have changed since the entry was made.
    if (symbols[at] === dead || right >= size || table.rank(symbols[at]!, symbols[right]!) !== rank) continue;
    symbols[at] = table.merged(rank);
    symbols[right] = dead;
    next[at] = next[right]!;
    if (next[at] < size) previous[next[at]] = at;
    enqueue(previous[at]!);
    enqueue(at);
  }

  let kept = 0;
  for (let at = 0; at < size; at = next[at]!) symbols[kept++] = symbols[at]!;
  symbols.length = kept;
  return symbols;
}
