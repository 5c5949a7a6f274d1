/**
 * Keys and values of the sequences being decoded, in a device's memory: one arena [rows, keyValueHeads, capacity,
 * headSize] a layer for keys and one for values. They are never on the host: the step itself writes what is new (see
 * `createLanguagePrograms`), and small programs move rows.
 */
import { type DecoderConfig, headSize } from '@crucible/nn';
import {
  add,
  and,
  type AnyArray,
  broadcastTo,
  compile,
  type Device,
  disposeArrays,
  gather,
  ints,
  less,
  lessOrEqual,
  pad,
  range,
  reshape,
  sliceAxis,
  type Tensor,
  type TensorType,
  toDevice,
  where,
  zerosArray,
} from '@crucible/tensor';
import { type CacheRows, cacheCapacity, type FilledRow, type KeyValueStore } from './key-value-store.ts';
import { ProgramCache } from './program-cache.ts';

interface Arenas<Leaf> {
  readonly keys: readonly Leaf[];
  readonly values: readonly Leaf[];
}

type ArrangeSizes = [rows: number, capacity: number, newRows: number, newCapacity: number];
type FillSizes = [rows: number, capacity: number, prompts: number, time: number, start: number];

/** Programs that move what is cached, for models of one shape; sets of weights share them. */
export class CachePrograms {
  readonly arrange: ProgramCache<
    ArrangeSizes,
    Arenas<TensorType> & { order: TensorType },
    Arenas<Tensor>,
    'keys' | 'values'
  >;
  readonly fill: ProgramCache<
    FillSizes,
    { readonly arenas: Arenas<TensorType>; readonly fresh: Arenas<TensorType>; from: TensorType; lengths: TensorType },
    Arenas<Tensor>,
    'keys' | 'values'
  >;

  constructor(config: DecoderConfig, device: Device) {
    const arenasOf = (rows: number, time: number): Arenas<TensorType> => {
      const shape = [rows, config.keyValueHeads, time, headSize(config)];
      const all = Array.from({ length: config.layers }, (): TensorType => ({ shape, dtype: 'float32' }));
      return { keys: all, values: all };
    };
    const options = { device, keep: ['keys', 'values'] as const };
    const list = (length: number): TensorType => ({ shape: [length], dtype: 'int32' });

    // Row r of the new arenas is row order[r] of the old ones.
    this.arrange = new ProgramCache((rows, capacity, newRows, newCapacity) =>
      compile(
        { ...arenasOf(rows, capacity), order: list(newRows) },
        ({ keys, values, order }) => {
          const arranged = (arena: Tensor): Tensor => resized(gather(arena, order), newCapacity);
          return { keys: keys.map(arranged), values: values.map(arranged) };
        },
        { ...options, name: 'cache rows' },
      ),
    );

    // lengths[r] tokens of row r, from position start on, come from row from[r] of the prompts.
    this.fill = new ProgramCache((rows, capacity, prompts, time, start) =>
      compile(
        { arenas: arenasOf(rows, capacity), fresh: arenasOf(prompts, time), from: list(rows), lengths: list(rows) },
        ({ arenas, fresh, from, lengths }) => {
          const places = reshape(range(lengths.graph, capacity), [1, 1, capacity, 1]);
          const isWithin = less(places, add(reshape(lengths, [rows, 1, 1, 1]), start));
          const isNew =
            start === 0 ? isWithin : and(isWithin, lessOrEqual(places.graph.scalar(start, 'int32'), places));
          const filled = (arena: Tensor, prompt: Tensor): Tensor =>
            where(broadcastTo(isNew, arena.shape), resized(moved(gather(prompt, from), start), capacity), arena);
          return {
            keys: arenas.keys.map((arena, i) => filled(arena, fresh.keys[i]!)),
            values: arenas.values.map((arena, i) => filled(arena, fresh.values[i]!)),
          };
        },
        { ...options, name: 'cache of prompts' },
      ),
    );
  }

  async dispose(): Promise<void> {
    await this.arrange.dispose();
    await this.fill.dispose();
  }
}

/** [rows, heads, time, size] behind so many zeros along the time. */
function moved(x: Tensor, start: number): Tensor {
  return start === 0 ? x : pad(x, [0, 0, start, 0], [0, 0, 0, 0]);
}

/** [rows, heads, time, size] cut, or filled up with zeros, to another time. */
function resized(x: Tensor, time: number): Tensor {
  const own = x.shape[2]!;
  if (own >= time) return sliceAxis(x, 2, 0, time);
  return pad(x, [0, 0, 0, 0], [0, 0, time - own, 0]);
}

export class DeviceKeyValueCache implements KeyValueStore {
  readonly #config: DecoderConfig;
  readonly #device: Device;
  readonly #programs: CachePrograms;
  /** Of the arenas as they are. */
  #rows = 0;
  #capacity = 0;
  #arenas: Arenas<AnyArray> = { keys: [], values: [] };
  /** The row of the arenas that each row asked for is in. */
  #order: number[] = [];
  #wanted = 0;

  constructor(config: DecoderConfig, device: Device, programs: CachePrograms) {
    this.#config = config;
    this.#device = device;
    this.#programs = programs;
  }

  get capacity(): number {
    return this.#wanted;
  }

  reserve(_rows: number, tokens: number): void {
    this.#wanted = Math.max(this.#wanted, cacheCapacity(tokens, this.#config));
  }

  clear(): void {
    this.dispose();
    [this.#rows, this.#capacity, this.#wanted] = [0, 0, 0];
    this.#order = [];
  }

  async view(rows: number): Promise<CacheRows> {
    await this.#arrange(rows);
    return this.#arenas;
  }

  async fill(entries: readonly FilledRow[], { keys, values }: CacheRows, start = 0): Promise<void> {
    const [prompts, , time] = keys[0]!.shape as [number, number, number];
    const rows = Math.max(this.#rows, ...entries.map(({ row }) => row + 1));
    await this.#arrange(rows);
    const [from, lengths] = [new Int32Array(rows), new Int32Array(rows)];
    for (const entry of entries) {
      from[entry.row] = entry.from;
      lengths[entry.row] = entry.length;
    }
    const program = await this.#programs.fill.get(rows, this.#capacity, prompts, time, start);
    this.#replace(
      await program.run({
        arenas: this.#arenas,
        fresh: { keys, values },
        from: ints([rows], from),
        lengths: ints([rows], lengths),
      }),
    );
    disposeArrays([keys, values]);
  }

  /** The step has written it: these are all the arenas. */
  append(_positions: readonly number[], { keys, values }: CacheRows): void {
    this.#replace({ keys, values });
  }

  move(from: number, to: number): void {
    this.#order[to] = this.#order[from]!;
  }

  dispose(): void {
    disposeArrays(this.#arenas);
    this.#arenas = { keys: [], values: [] };
  }

  #replace(arenas: Arenas<AnyArray>): void {
    disposeArrays(this.#arenas);
    this.#arenas = arenas;
  }

  /** Brings rows to where they are asked for, in arenas of so many rows and of the capacity that is wanted. */
  async #arrange(rows: number): Promise<void> {
    const order = Array.from({ length: rows }, (_, row) => this.#order[row] ?? Math.min(row, this.#rows - 1));
    if (this.#rows === 0) {
      await this.#makeArenas(rows);
    } else if (rows !== this.#rows || this.#wanted !== this.#capacity || order.some((from, row) => from !== row)) {
      const program = await this.#programs.arrange.get(this.#rows, this.#capacity, rows, this.#wanted);
      this.#replace(await program.run({ ...this.#arenas, order: ints([rows], order) }));
    }
    [this.#rows, this.#capacity] = [rows, this.#wanted];
    this.#order = Array.from({ length: rows }, (_, row) => row);
  }

  async #makeArenas(rows: number): Promise<void> {
    const { keyValueHeads, layers } = this.#config;
    const zeros = zerosArray('float32', [rows, keyValueHeads, this.#wanted, headSize(this.#config)]);
    const all: AnyArray[] = [];
    for (let i = 0; i < 2 * layers; i++) all.push(await toDevice(zeros, this.#device));
    this.#arenas = { keys: all.slice(0, layers), values: all.slice(layers) };
  }
}
