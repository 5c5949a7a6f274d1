/**
 * Learning merges (Sennrich et al., "Neural machine translation of rare words with subword units", ACL 2016): again and
 * again the most frequent pair of neighbours becomes a token. Pair counts are kept up to date rather than counted anew,
 * and the queue is lazy: a count that has sunk since it was queued is put back with its new value.
 *
 * Ties are resolved as Hugging Face's BpeTrainer does, so that the merges are the same: of equally frequent pairs the one
 * with the smaller ids comes first. One case differs on purpose: a pair that spells a reserved token is never merged.
 *
 * Every merge makes a new token: the symbols of a token's text are always merged in the same order, so no two pairs
 * spell the same.
 */
import { Heap } from '../models/heap.ts';
import { maximumVocabSize, type Merge, pairKey } from '../models/merge.ts';

/** A distinct piece of the training text. */
export interface Word {
  /** Token ids; merging rewrites them. */
  readonly symbols: number[];
  readonly count: number;
}

interface Candidate {
  readonly pair: number;
  /** As it was when the candidate was queued. */
  readonly count: number;
  /** Words in which the pair came up. */
  readonly words: readonly number[];
}

interface LearnMergesOptions {
  /** Tokens in all. */
  readonly size: number;
  /** Tokens that no merge may make. */
  readonly reserved: ReadonlySet<string>;
  /** Begins the tokens that do not begin a word; a merge keeps that of the left one. Default: none. */
  readonly prefix?: string;
  /** Pairs that are rarer are not merged. Default: 1. */
  readonly minFrequency?: number;
}

/**
 * Adds a token to `vocab` for every merge, until it has `size` tokens or no pair is left; `vocab` is in order of ids.
 * Yields after every merge. Returns the merges by rank.
 */
export function* learnMerges(
  words: readonly Word[],
  vocab: Map<string, number>,
  { size, reserved, prefix = '', minFrequency = 1 }: LearnMergesOptions,
): Generator<void, Merge[]> {
  const tokens = [...vocab.keys()];
  const counts = new PairCounts();
  for (const [index, { symbols, count }] of words.entries()) {
    for (let i = 0; i + 1 < symbols.length; i++) counts.change(pairKey(symbols[i]!, symbols[i + 1]!), count, index);
  }
  const queue = new Heap<Candidate>((a, b) => a.count > b.count || (a.count === b.count && a.pair < b.pair));
  counts.queueGrown(queue);

  const merges: Merge[] = [];
  for (let top = queue.pop(); top !== undefined && vocab.size < size; top = queue.pop()) {
    const count = counts.of(top.pair);
    if (top.count !== count) {
      queue.push({ ...top, count });
      continue;
    }
    if (count < minFrequency) break;
    const left = Math.floor(top.pair / maximumVocabSize);
    const right = top.pair % maximumVocabSize;
    const token = tokens[left]! + tokens[right]!.slice(prefix.length);
    if (reserved.has(token)) continue;
    const merge = { left, right, merged: tokens.length };
    tokens.push(token);
    vocab.set(token, merge.merged);
    merges.push(merge);
    for (const index of top.words) mergeInWord(words[index]!, index, merge, counts);
    counts.queueGrown(queue);
    yield;
  }
  return merges;
}

/** How often each pair occurs, and in which words those that became more frequent did so. */
class PairCounts {
  readonly #counts = new Map<number, number>();
  #grown = new Map<number, number[]>();

  of(pair: number): number {
    return this.#counts.get(pair) ?? 0;
  }

  change(pair: number, by: number, word: number): void {
    this.#counts.set(pair, this.of(pair) + by);
    if (by < 0) return;
    const words = this.#grown.get(pair);
    if (words === undefined) this.#grown.set(pair, [word]);
    else if (words.at(-1) !== word) words.push(word);
  }

  /** Queues the pairs that became more frequent since the last call. */
  queueGrown(queue: Heap<Candidate>): void {
    for (const [pair, words] of this.#grown) {
      const count = this.of(pair);
      if (count > 0) queue.push({ pair, count, words });
    }
    this.#grown = new Map();
  }
}

/** Merges every occurrence in one word, from the left, and counts what its neighbours lose and gain. */
function mergeInWord(
  { symbols, count }: Word,
  index: number,
  { left, right, merged }: Merge,
  counts: PairCounts,
): void {
  let written = 0;
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] !== left || symbols[i + 1] !== right) {
      symbols[written++] = symbols[i]!;
      continue;
    }
    if (written > 0) {
      const before = symbols[written - 1]!;
      counts.change(pairKey(before, left), -count, index);
      counts.change(pairKey(before, merged), count, index);
    }
    if (i + 2 < symbols.length) {
      const after = symbols[i + 2]!;
      counts.change(pairKey(right, after), -count, index);
      counts.change(pairKey(merged, after), count, index);
    }
    symbols[written++] = merged;
    i++;
  }
  symbols.length = written;
}
