/** Pre-training batches: windows of a long stream of tokens. Batch n depends on the seed and n alone. */
import { invalidInput, Random } from '@crucible/foundation';
import { type IntArray, ints, type NdArray } from '@crucible/tensor';

export interface WindowBatch {
  readonly [name: string]: NdArray;
  /** Token ids, int32 [rows, time]. */
  readonly ids: IntArray;
  /** The token after each, int32 [rows, time]. */
  readonly targets: IntArray;
}

/** Where pre-training batches come from: batch `step` is the same whenever it is asked for. */
export interface TokenSource {
  readonly batch: (step: number, rows: number, time: number) => WindowBatch;
}

/** Makes a batch from one function that fills `tokens` (time + 1 of them) for a row. */
export function windowBatch(rows: number, time: number, fill: (row: number, tokens: Int32Array) => void): WindowBatch {
  const ids = new Int32Array(rows * time);
  const targets = new Int32Array(rows * time);
  const tokens = new Int32Array(time + 1);
  for (let row = 0; row < rows; row++) {
    fill(row, tokens);
    ids.set(tokens.subarray(0, time), row * time);
    targets.set(tokens.subarray(1), row * time);
  }
  return { ids: ints([rows, time], ids), targets: ints([rows, time], targets) };
}

/**
 * Windows over a finite stream: every epoch goes once through all of it, in a new random order and from a new offset.
 */
export function streamSource(stream: Int32Array | Uint16Array, seed: number): TokenSource {
  return {
    batch: (step, rows, time) => {
      const windows = Math.floor((stream.length - 1) / time);
      if (windows < 1) {
        throw invalidInput(`the corpus has ${stream.length} tokens; a row of ${time} needs at least ${time + 1}`);
      }
      return windowBatch(rows, time, (row, tokens) => {
        const n = step * rows + row;
        const epoch = Math.floor(n / windows);
        const random = Random.seeded(seed).fork(`epoch ${epoch}`);
        const slack = stream.length - 1 - windows * time;
        const start = permuted(n % windows, windows, random) * time + random.integer(0, slack);
        tokens.set(stream.subarray(start, start + time + 1));
      });
    },
  };
}

/**
 * The image of `i` under a random permutation of 0 … size - 1 that costs no memory: a Feistel network of four rounds over
 * the next even power of two, walked until it lands inside (Black & Rogaway 2002, cycle walking).
 */
function permuted(i: number, size: number, random: Random): number {
  let half = 1;
  while (4 ** half < size) half++;
  const mask = 2 ** half - 1;
  const keys = Array.from({ length: 4 }, () => random.uint32());
  let value = i;
  do {
    let left = value >>> half;
    let right = value & mask;
    for (const key of keys) {
      const mixed = Math.imul(right ^ key, 0x9e3779b1);
      [left, right] = [right, left ^ ((mixed ^ (mixed >>> 15)) & mask)];
    }
    value = (left << half) | right;
  } while (value >= size);
  return value;
}

/**
 * Endless text, made as it is needed: `document(random)` must not be empty. Documents are parted by `separator`. As with
 * `streamSource`, a batch that is made in parts holds the same rows.
 */
export function documentSource(
  document: (random: Random) => readonly number[],
  separator: number,
  seed: number,
): TokenSource {
  return {
    batch: (step, rows, time) =>
      windowBatch(rows, time, (row, tokens) => {
        const random = Random.seeded(seed).fork(`document ${step * rows + row}`);
        tokens[0] = separator;
        for (let used = 1; used < tokens.length;) {
          const next = [...document(random), separator].slice(0, tokens.length - used);
          tokens.set(next, used);
          used += next.length;
        }
      }),
  };
}
