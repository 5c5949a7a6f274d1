/**
 * The weights of a model folder: model.safetensors, or several files and model.safetensors.index.json, which says which
 * tensor is in which. Nothing but headers is read before a tensor is asked for.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { NdArray } from '@crucible/tensor';
import { isRecord } from './is-record.ts';
import { readJsonObject, writeJson } from './json-file.ts';
import {
  SafetensorsReader,
  storedBytes,
  type StoredTensor,
  type TensorSource,
  type WriteOptions,
  writeSafetensors,
} from './safetensors.ts';

const single = 'model.safetensors';
const index = `${single}.index.json`;
/** Names that transformers gives to the files of one model, and to ours. */
const shardPattern = /^model-\d{5}-of-\d{5}\.safetensors$/;
/** Weights in formats that run code when they are read, or that are not transformers'. */
const otherFormats = /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/;

export class WeightFiles implements Disposable {
  readonly #readers: readonly SafetensorsReader[];
  readonly #readerOf = new Map<string, SafetensorsReader>();

  private constructor(readers: readonly SafetensorsReader[]) {
    this.#readers = readers;
    for (const reader of readers) for (const name of reader.tensors.keys()) this.#readerOf.set(name, reader);
  }

  /** Opens the files of a folder and checks their headers and the index. */
  static open(folder: string): WeightFiles {
    const readers: SafetensorsReader[] = [];
    try {
      for (const name of weightFileNames(folder)) readers.push(new SafetensorsReader(join(folder, name)));
      const files = new WeightFiles(readers);
      if (!existsSync(join(folder, single))) files.#assertIndexed(folder);
      return files;
    } catch (reason) {
      for (const reader of readers) reader.close();
      throw reason;
    }
  }

  /** Names of all tensors. */
  names(): Iterable<string> {
    return this.#readerOf.keys();
  }

  find(name: string): StoredTensor | undefined {
    return this.#readerOf.get(name)?.tensors.get(name);
  }

  /** The file that holds a tensor, or the one that would. */
  pathOf(name: string): string {
    return (this.#readerOf.get(name) ?? this.#readers[0]!).path;
  }

  read(name: string): NdArray {
    const reader = this.#readerOf.get(name);
    if (!reader) throw new Error(`internal: there is no tensor ${name}`);
    return reader.read(name);
  }

  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Throws unless every tensor of the index is in the file that it names, and no other is there. */
  #assertIndexed(folder: string): void {
    const path = join(folder, index);
    const map = weightMap(path);
    const fail = (what: string): never => {
      throw invalidInput(`${path}: ${what}`, { at: path });
    };
    for (const [name, file] of map) {
      const reader = this.#readers.find((each) => each.path === join(folder, file))!;
      if (!reader.tensors.has(name)) fail(`tensor ${name} is not in ${file}`);
    }
    for (const reader of this.#readers) {
      for (const name of reader.tensors.keys()) {
        const file = map.get(name);
        if (file === undefined || join(folder, file) !== reader.path)
          fail(
            `${reader.path} has a tensor ${name}, which the index ${file === undefined ? 'does not name' : `places in ${file}`}`,
          );
      }
    }
  }
}

/** Names of the files that hold the weights of a folder; throws where there are none that can be read. */
export function weightFileNames(folder: string): string[] {
  if (existsSync(join(folder, single))) return [single];
  if (existsSync(join(folder, index))) return [...new Set(weightMap(join(folder, index)).values())].sort();
  const other = existsSync(folder) ? readdirSync(folder).find((entry) => otherFormats.test(entry)) : undefined;
  if (other !== undefined) {
    throw invalidInput(
      `${folder}: the weights are in ${other}, which is not read here: such files may run code of their author, or lack what a folder has; save the model as safetensors, in Python by model.save_pretrained(FOLDER)`,
      { at: folder },
    );
  }
  const path = join(folder, single);
  throw new CrucibleError('not-found', `${path}: there is no such file, nor ${index} beside it`, { at: path });
}

/** Which file each tensor is in. The names of files come from anywhere: they must be plain. */
function weightMap(path: string): Map<string, string> {
  const map = readJsonObject(path)['weight_map'];
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  if (!isRecord(map)) return fail('weight_map is no object');
  const entries = Object.entries(map).map(([name, file]): [string, string] => {
    if (typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file))
      return fail(`tensor ${name} is placed in ${JSON.stringify(file)}, which is no name of a file beside it`);
    return [name, file];
  });
  if (entries.length === 0) fail('weight_map names no tensor');
  return new Map(entries);
}

export interface WriteWeightsOptions extends WriteOptions {
  /** Bytes of tensors in one file at most, a single larger one excepted. Default: 5 GB, as transformers has it. */
  readonly maxShardBytes?: number;
}

/**
 * Writes the weights of a folder: one file, or as many as `maxShardBytes` asks for, with their index. What was there
 * before is removed when the new files are complete.
 */
export function writeWeights(
  folder: string,
  tensors: readonly TensorSource[],
  { maxShardBytes = 5e9, ...options }: WriteWeightsOptions = {},
): void {
  if (!(maxShardBytes > 0))
    throw invalidInput(`the size of a file is ${maxShardBytes}; a number of bytes above 0 is needed`);
  const shards: TensorSource[][] = [];
  let room = 0;
  let total = 0;
  for (const tensor of tensors) {
    const bytes = storedBytes(tensor, options.floats ?? 'F32');
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = maxShardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
    total += bytes;
  }
  const count = Math.max(1, shards.length);
  const name = (i: number): string =>
    count === 1 ? single : `model-${String(i + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`;
  const written = Array.from({ length: count }, (_, i) => name(i));
  written.forEach((file, i) => writeSafetensors(join(folder, file), shards[i] ?? [], options));
  if (count > 1) {
    const map = shards.flatMap((shard, i) => shard.map((tensor) => [tensor.name, name(i)] as const));
    writeJson(join(folder, index), { metadata: { total_size: total }, weight_map: Object.fromEntries(map) });
    written.push(index);
  }
  for (const entry of readdirSync(folder)) {
    const isOurs = entry === single || entry === index || shardPattern.test(entry);
    if (isOurs && !written.includes(entry)) rmSync(join(folder, entry));
  }
}

/** SHA-256 of the weights of a folder, hexadecimal: of the one file, or of the list of all files' digests and names. */
export function hashWeights(folder: string): string {
  const names = weightFileNames(folder);
  if (names.length === 1) return hashFile(join(folder, names[0]!));
  const list = names.map((name) => `${hashFile(join(folder, name))}  ${name}\n`).join('');
  return createHash('sha256').update(list).digest('hex');
}

/** SHA-256 of a file, hexadecimal. */
export function hashFile(path: string): string {
  const hash = createHash('sha256');
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
  try {
    const buffer = Buffer.alloc(1 << 20);
    for (let read = readSync(descriptor, buffer); read > 0; read = readSync(descriptor, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}
