/**
 * Seeded random numbers from a counter: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). The n-th number depends on the seed and on n alone, so a stream is resumed by its counter, and streams
 * with different names are independent.
 */

/** Everything that a stream is; JSON-safe, kept in checkpoints. */
export interface RandomState {
  readonly key: readonly [number, number];
  /** Numbers drawn so far. */
  readonly drawn: number;
}

export class Random {
  readonly #key: readonly [number, number];
  #drawn: number;
  readonly #block = new Uint32Array(4);
  #blockNumber = -1;

  private constructor(state: RandomState) {
    this.#key = state.key;
    this.#drawn = state.drawn;
  }

  /** `seed`: any integer from 0 to 2^53 - 1. */
  static seeded(seed: number): Random {
    return new Random({ key: [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0], drawn: 0 });
  }

  static resumed(state: RandomState): Random {
    return new Random(state);
  }

  get state(): RandomState {
    return { key: this.#key, drawn: this.#drawn };
  }

  /** An independent stream; the same seed and name give the same stream, however much was drawn from this one. */
  fork(name: string): Random {
    // FNV-1a folds the name into a counter block that `uint32` never reaches (its third word is not zero).
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    const block = philox(this.#key, hash >>> 0, name.length, 0x666f726b, 0, new Uint32Array(4));
    return new Random({ key: [block[0]!, block[1]!], drawn: 0 });
  }

  /** Uniform over 0 … 2^32 - 1. */
  uint32(): number {
    const blockNumber = Math.floor(this.#drawn / 4);
    if (blockNumber !== this.#blockNumber) {
      philox(this.#key, blockNumber >>> 0, Math.floor(blockNumber / 2 ** 32), 0, 0, this.#block);
      this.#blockNumber = blockNumber;
    }
    return this.#block[this.#drawn++ % 4]!;
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number in [low, high], both included, without modulo bias; `high - low` below 2^32. */
  integer(low: number, high: number): number {
    const range = high - low + 1;
    const limit = 2 ** 32 - (2 ** 32 % range);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return low + (value % range);
    }
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) / 2 ** 32));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  boolean(probability = 0.5): boolean {
    return this.uniform() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** An index drawn in proportion to `weights` (not negative, not all zero). */
  weighted(weights: readonly number[]): number {
    let left = this.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (let i = 0; i < weights.length - 1; i++) if ((left -= weights[i]!) < 0) return i;
    return weights.length - 1;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }

  /** `count` different items, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    return this.shuffled(items).slice(0, count);
  }
}

/** One Philox4x32-10 block of four 32-bit words, written to `out`. */
export function philox(
  key: readonly [number, number],
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  out: Uint32Array,
): Uint32Array {
  let [k0, k1] = key;
  let x0 = c0;
  let x1 = c1;
  let x2 = c2;
  let x3 = c3;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, x0);
    const low0 = Math.imul(0xd2511f53, x0);
    const high1 = multiplyHigh(0xcd9e8d57, x2);
    const low1 = Math.imul(0xcd9e8d57, x2);
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
  return out;
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}
