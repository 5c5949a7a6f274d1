import { headSize, type DecoderConfig } from '@crucible/nn';
import { type AnyArray, type NdArray, ndArray } from '@crucible/tensor';
import { type CacheRows, cacheCapacity, type FilledRow, type KeyValueStore } from './key-value-store.ts';

/**
 * Keys and values of the sequences being decoded, in host memory: one arena [rows, keyValueHeads, capacity, headSize] a
 * layer for keys and one for values. Programs read the first rows in place; only what is new is copied in.
 */
export class KeyValueCache implements KeyValueStore {
  readonly #heads: number;
  readonly #size: number;
  readonly #config: DecoderConfig;
  #rows = 0;
  #capacity = 0;
  readonly #keys: Float32Array[];
  readonly #values: Float32Array[];

  constructor(config: DecoderConfig) {
    this.#heads = config.keyValueHeads;
    this.#size = headSize(config);
    this.#config = config;
    this.#keys = Array.from({ length: config.layers }, () => new Float32Array(0));
    this.#values = Array.from({ length: config.layers }, () => new Float32Array(0));
  }

  /** Tokens that fit into a row at present. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for `rows` rows of `tokens` tokens; what is cached stays. */
  reserve(rows: number, tokens: number): void {
    const capacity = cacheCapacity(tokens, this.#config);
    if (rows <= this.#rows && capacity <= this.#capacity) return;
    const [oldRows, oldCapacity] = [this.#rows, this.#capacity];
    this.#rows = Math.max(rows, oldRows);
    this.#capacity = Math.max(capacity, oldCapacity);
    for (const arenas of [this.#keys, this.#values]) {
      arenas.forEach((old, layer) => {
        const grown = new Float32Array(this.#rows * this.#heads * this.#capacity * this.#size);
        for (let row = 0; row < oldRows * this.#heads; row++) {
          const start = row * oldCapacity * this.#size;
          grown.set(old.subarray(start, start + oldCapacity * this.#size), row * this.#capacity * this.#size);
        }
        arenas[layer] = grown;
      });
    }
  }

  /** Forgets all rows, and the room that they took. */
  clear(): void {
    [this.#rows, this.#capacity] = [0, 0];
  }

  /** The first `rows` rows, without copying. */
  view(rows: number): Promise<{ readonly keys: NdArray[]; readonly values: NdArray[] }> {
    const shape = [rows, this.#heads, this.#capacity, this.#size];
    const length = shape.reduce((product, size) => product * size, 1);
    const first = (arena: Float32Array): NdArray => ndArray('float32', shape, arena.subarray(0, length));
    return Promise.resolve({ keys: this.#keys.map(first), values: this.#values.map(first) });
  }

  /** Row i gets one token, at positions[i]: keys and values are [batch, heads · size] a layer. */
  append(positions: readonly number[], { keys, values }: CacheRows): void {
    const width = this.#heads * this.#size;
    positions.forEach((position, row) => {
      for (let layer = 0; layer < this.#keys.length; layer++) {
        this.#writeToken(this.#keys[layer]!, row, position, onHost(keys[layer]!), row * width);
        this.#writeToken(this.#values[layer]!, row, position, onHost(values[layer]!), row * width);
      }
    });
  }

  #writeToken(arena: Float32Array, row: number, position: number, data: Float32Array, source: number): void {
    const size = this.#size;
    for (let head = 0; head < this.#heads; head++) {
      const target = ((row * this.#heads + head) * this.#capacity + position) * size;
      for (let i = 0; i < size; i++) arena[target + i] = data[source + head * size + i]!;
    }
  }

  fill(entries: readonly FilledRow[], { keys, values }: CacheRows, start = 0): Promise<void> {
    const size = this.#size;
    const copy = (arena: Float32Array, prompt: AnyArray, { row, length, from }: FilledRow): void => {
      const time = prompt.shape[2]!;
      for (let head = 0; head < this.#heads; head++) {
        const first = (from * this.#heads + head) * time * size;
        const part = onHost(prompt).subarray(first, first + length * size);
        arena.set(part, ((row * this.#heads + head) * this.#capacity + start) * size);
      }
    };
    for (const entry of entries) {
      for (let layer = 0; layer < this.#keys.length; layer++) {
        copy(this.#keys[layer]!, keys[layer]!, entry);
        copy(this.#values[layer]!, values[layer]!, entry);
      }
    }
    return Promise.resolve();
  }

  /** Moves row `from` to row `to`, over what is there: rows in use stay together at the front. */
  move(from: number, to: number): void {
    const width = this.#heads * this.#capacity * this.#size;
    for (const arena of [...this.#keys, ...this.#values])
      arena.copyWithin(to * width, from * width, (from + 1) * width);
  }

  dispose(): void {
    this.clear();
  }
}

function onHost(array: AnyArray): Float32Array {
  return (array as NdArray).data as Float32Array;
}
