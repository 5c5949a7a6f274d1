/**
 * Vectors in memory, searched exhaustively: the best are the best. Where the first dimensions are a vector by themselves
 * (Matryoshka, Kusupati et al. 2022) they choose the candidates, and all dimensions order them.
 */
import { type Scored, TopK } from './top-k.ts';

export interface DenseOptions {
  readonly dimensions: number;
  /** Dimensions that choose candidates; `dimensions`: all, and then the search is exact. */
  readonly coarse: number;
}

/** Candidates that are scored with all dimensions, for each wanted. */
const candidatesPerResult = 4;

export class DenseIndex {
  readonly #dimensions: number;
  readonly #coarse: number;
  /** Of slot after slot: unit vectors of the first dimensions, and whole ones. */
  #heads: Float32Array;
  #vectors: Float32Array;
  #live = new Uint8Array(1024);
  #end = 0;

  constructor({ dimensions, coarse }: DenseOptions) {
    this.#dimensions = dimensions;
    this.#coarse = coarse;
    this.#heads = new Float32Array(1024 * (coarse < dimensions ? coarse : 0));
    this.#vectors = new Float32Array(1024 * dimensions);
  }

  /** `vector` has length 1, or is all zeros: then nothing is like it. */
  add(slot: number, vector: Float32Array): void {
    this.#grow(slot + 1);
    this.#vectors.set(vector, slot * this.#dimensions);
    if (this.#coarse < this.#dimensions) this.#heads.set(unit(vector.subarray(0, this.#coarse)), slot * this.#coarse);
    this.#live[slot] = 1;
    this.#end = Math.max(this.#end, slot + 1);
  }

  remove(slot: number): void {
    if (slot < this.#end) this.#live[slot] = 0;
  }

  similarity(slot: number, query: Float32Array): number {
    return slot < this.#end && this.#live[slot] === 1 ? dot(this.#vectors, slot * this.#dimensions, query) : 0;
  }

  search(query: Float32Array, k: number, allowed?: Uint8Array): Scored[] {
    const isExact = this.#coarse === this.#dimensions;
    const head = isExact ? query : unit(query.subarray(0, this.#coarse));
    const found = this.#scan(
      isExact ? this.#vectors : this.#heads,
      head,
      isExact ? k : candidatesPerResult * k,
      allowed,
    );
    if (isExact) return found;
    const best = new TopK(Math.min(k, found.length));
    for (const { slot } of found) best.offer(slot, dot(this.#vectors, slot * this.#dimensions, query));
    return best.sorted();
  }

  #scan(vectors: Float32Array, query: Float32Array, k: number, allowed: Uint8Array | undefined): Scored[] {
    const best = new TopK(Math.min(k, this.#end));
    const width = query.length;
    for (let slot = 0; slot < this.#end; slot++) {
      if (this.#live[slot] !== 1 || (allowed && allowed[slot] !== 1)) continue;
      const score = dot(vectors, slot * width, query);
      if (score > best.threshold) best.offer(slot, score);
    }
    return best.sorted();
  }

  #grow(slots: number): void {
    if (slots <= this.#live.length) return;
    const size = Math.max(slots, Math.ceil(this.#live.length * 1.5));
    const larger = (old: Float32Array, width: number): Float32Array => {
      const result = new Float32Array(size * width);
      result.set(old);
      return result;
    };
    this.#heads = larger(this.#heads, this.#coarse < this.#dimensions ? this.#coarse : 0);
    this.#vectors = larger(this.#vectors, this.#dimensions);
    const live = new Uint8Array(size);
    live.set(this.#live);
    this.#live = live;
  }
}

/** Of the vector at `offset` with the query. */
function dot(vectors: Float32Array, offset: number, query: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = query.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += vectors[offset + i]! * query[i]!;
    b += vectors[offset + i + 1]! * query[i + 1]!;
    c += vectors[offset + i + 2]! * query[i + 2]!;
    d += vectors[offset + i + 3]! * query[i + 3]!;
  }
  for (let i = whole; i < query.length; i++) a += vectors[offset + i]! * query[i]!;
  return a + b + c + d;
}

/** The vector at length 1; zeros stay zeros. */
export function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return sum === 0 ? Float32Array.from(vector) : vector.map((value) => value / Math.sqrt(sum));
}
