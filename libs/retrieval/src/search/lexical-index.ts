/**
 * BM25 over an inverted index in memory (Robertson and Zaragoza 2009, with the idf of Lucene, which is never negative):
 *
 *   score(q, d) = Σ qtf · idf(t) · tf · (k1 + 1) / (tf + k1 · (1 − b + b · |d| / avg))
 *   idf(t) = ln(1 + (N − df + 0.5) / (df + 0.5))
 *
 * N, df and avg are those of what is in the index now: removed passages count nowhere, at once.
 */
import { type Scored, TopK } from './top-k.ts';

export interface LexicalOptions {
  /** How fast repetitions of a term stop counting. Default: 0.9. */
  readonly k1?: number;
  /** How much long passages are held back, 0 to 1. Default: 0.4. */
  readonly b?: number;
}

/** Of one term: passages with how often it is in them, `slot · 256 + count`, in the order they came. */
interface Postings {
  entries: Uint32Array;
  length: number;
}

const noEntries = new Uint32Array(0);
/** A term counts so often at most: what is more changes a score by less than a percent. */
const mostCounted = 255;
/** Passages of one index, by the room of an entry. */
const mostSlots = 2 ** 24;

export class LexicalIndex {
  readonly #k1: number;
  readonly #b: number;
  /** Terms of one passage alone, about half of all: entries without a list of their own. */
  readonly #single = new Map<string, number>();
  readonly #postings = new Map<string, Postings>();
  /** Terms of each slot; 0: nothing is there. */
  #lengths = new Uint32Array(1024);
  #live = new Uint8Array(1024);
  #scores = new Float32Array(1024);
  #count = 0;
  #removed = 0;
  #totalLength = 0;

  constructor({ k1 = 0.9, b = 0.4 }: LexicalOptions = {}) {
    this.#k1 = k1;
    this.#b = b;
  }

  /** Passages in the index. */
  get size(): number {
    return this.#count;
  }

  /** `slot` must be free. */
  add(slot: number, terms: readonly string[]): void {
    if (slot >= mostSlots) throw new Error(`internal: slot ${slot} is beyond the room of an index`);
    this.#grow(slot + 1);
    const counts = new Map<string, number>();
    for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
    for (const [term, count] of counts) this.#append(term, slot * 256 + Math.min(count, mostCounted));
    this.#lengths[slot] = terms.length;
    this.#live[slot] = 1;
    this.#count++;
    this.#totalLength += terms.length;
  }

  /** Frees the slot for good: a slot is not used twice, until `tidy` says that nothing remembers it. */
  remove(slot: number): void {
    if (this.#live[slot] !== 1) return;
    this.#live[slot] = 0;
    this.#count--;
    this.#removed++;
    this.#totalLength -= this.#lengths[slot]!;
  }

  /** Whether so much was removed that `tidy` is worth its time. */
  get isUntidy(): boolean {
    return this.#removed > 1000 && this.#removed > this.#count / 3;
  }

  /** Forgets what was removed. */
  tidy(): void {
    for (const [term, entry] of this.#single) if (this.#live[entry >>> 8] !== 1) this.#single.delete(term);
    for (const [term, postings] of this.#postings) {
      const kept = postings.entries.subarray(0, postings.length).filter((entry) => this.#live[entry >>> 8] === 1);
      if (kept.length === 0) this.#postings.delete(term);
      else this.#postings.set(term, { entries: kept, length: kept.length });
    }
    this.#removed = 0;
  }

  /** In how many passages a term is. */
  documentFrequency(term: string): number {
    return this.#frequency(this.#entriesOf(term));
  }

  inverseFrequency(term: string): number {
    const df = this.documentFrequency(term);
    return Math.log(1 + (this.#count - df + 0.5) / (df + 0.5));
  }

  /**
   * The `k` best passages with one of the terms. `allowed`: 1 for each slot that may be found. The scores of the slots in
   * `probes` are put there.
   */
  search(terms: ReadonlyMap<string, number>, k: number, allowed?: Uint8Array, probes?: Map<number, number>): Scored[] {
    const [k1, b, scores, live, lengths] = [this.#k1, this.#b, this.#scores, this.#live, this.#lengths];
    const average = this.#count === 0 ? 1 : this.#totalLength / this.#count;
    const floor = k1 * (1 - b);
    const perTerm = (k1 * b) / average;
    const touched: Uint32Array[] = [];
    for (const [term, weight] of terms) {
      const entries = this.#entriesOf(term);
      if (entries.length === 0) continue;
      const df = this.#frequency(entries);
      const factor = weight * Math.log(1 + (this.#count - df + 0.5) / (df + 0.5)) * (k1 + 1);
      for (const entry of entries) {
        const slot = entry >>> 8;
        const count = entry & 255;
        scores[slot]! += (factor * count) / (count + floor + perTerm * lengths[slot]!);
      }
      touched.push(entries);
    }
    if (probes) for (const slot of probes.keys()) probes.set(slot, scores[slot]!);
    const best = new TopK(Math.min(k, this.#count));
    for (const entries of touched) {
      for (const entry of entries) {
        const slot = entry >>> 8;
        const score = scores[slot]!;
        if (score === 0) continue;
        scores[slot] = 0;
        if (score < best.threshold || live[slot] !== 1 || (allowed && allowed[slot] !== 1)) continue;
        best.offer(slot, score);
      }
    }
    return best.sorted();
  }

  #entriesOf(term: string): Uint32Array {
    const postings = this.#postings.get(term);
    if (postings) return postings.entries.subarray(0, postings.length);
    const single = this.#single.get(term);
    return single === undefined ? noEntries : Uint32Array.of(single);
  }

  #frequency(entries: Uint32Array): number {
    if (this.#removed === 0) return entries.length;
    let live = 0;
    for (const entry of entries) live += this.#live[entry >>> 8]!;
    return live;
  }

  #append(term: string, entry: number): void {
    const postings = this.#postings.get(term);
    if (!postings) {
      const single = this.#single.get(term);
      if (single === undefined) this.#single.set(term, entry);
      else {
        this.#single.delete(term);
        this.#postings.set(term, { entries: Uint32Array.of(single, entry), length: 2 });
      }
      return;
    }
    if (postings.length === postings.entries.length) {
      const larger = new Uint32Array(Math.max(4, Math.ceil(postings.length * 1.5)));
      larger.set(postings.entries);
      postings.entries = larger;
    }
    postings.entries[postings.length++] = entry;
  }

  #grow(slots: number): void {
    if (slots <= this.#lengths.length) return;
    const size = Math.max(slots, this.#lengths.length * 2);
    const [lengths, live] = [new Uint32Array(size), new Uint8Array(size)];
    lengths.set(this.#lengths);
    live.set(this.#live);
    this.#lengths = lengths;
    this.#live = live;
    this.#scores = new Float32Array(size);
  }
}
