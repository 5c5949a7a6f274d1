/**
 * The safetensors format (huggingface/safetensors): eight bytes of little-endian header length, a JSON header
 * {name: {dtype, shape, data_offsets}}, then the raw little-endian values. Files come from anywhere, so the header is
 * checked in full before any value is read. Values are read tensor by tensor, from their place in the file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CrucibleError, invalidInput, writeFileWith, writeFully } from '@crucible/foundation';
import { type HostType, flatten, formatShape, isNdArray, type NdArray, type Shape, sizeOf } from '@crucible/tensor';
import { isRecord } from './is-record.ts';
import {
  arrayFromBytes,
  bytesFromArray,
  type FloatType,
  type StoredType,
  storedTypeOf,
  storedTypes,
} from './stored-types.ts';

/** The format's own limit on the header. */
const largestHeader = 100_000_000;

/** Sizes of a shape at most: tensors of models have four. */
const mostAxes = 32;

export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: Shape;
  /** First byte and the one after the last, counted from the end of the header. */
  readonly start: number;
  readonly end: number;
}

/** A tensor to be written, which may be made when its turn comes. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: HostType;
  readonly shape: Shape;
  readonly read: () => NdArray;
}

/** Bytes to be written as they are, of the type U8. */
export interface ByteSource {
  readonly name: string;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

export interface WriteOptions {
  /** How floats are stored. Default: F32. */
  readonly floats?: FloatType;
  /** Goes into the header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The leaves of a tree of arrays; the tensors' names are the paths. */
export function tensorSources(tree: object): TensorSource[] {
  return flatten<NdArray>(tree, isNdArray).map(({ path, leaf }) => ({
    name: path,
    dtype: leaf.dtype,
    shape: leaf.shape,
    read: () => leaf,
  }));
}

/** Bytes of a tensor in a file. */
export function storedBytes({ dtype, shape }: TensorSource, floats: FloatType): number {
  return sizeOf(shape) * storedTypes[storedTypeOf(dtype, floats)].bytes;
}

/** Writes tensors one after the other, atomically. */
export function writeSafetensors(
  path: string,
  tensors: readonly (TensorSource | ByteSource)[],
  { floats = 'F32', metadata = {} }: WriteOptions = {},
): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  let offset = 0;
  for (const tensor of tensors) {
    const { name, shape } = tensor;
    const end = offset + ('bytes' in tensor ? tensor.bytes.byteLength : storedBytes(tensor, floats));
    const dtype = 'bytes' in tensor ? 'U8' : storedTypeOf(tensor.dtype, floats);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(header);
  // Padded with spaces, so that the values are aligned to eight bytes.
  const bytes = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8), ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.byteLength));
  writeFileWith(path, (descriptor) => {
    writeFully(descriptor, length);
    writeFully(descriptor, bytes);
    for (const tensor of tensors) {
      if ('bytes' in tensor) {
        writeFully(descriptor, tensor.bytes);
        continue;
      }
      const { name, read } = tensor;
      const fail = (what: string): never => {
        throw invalidInput(`tensor ${name} ${what}`, { at: name });
      };
      writeFully(descriptor, bytesFromArray(read(), floats, fail));
    }
  });
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads every tensor of a file. */
export function readSafetensors(path: string): SafetensorsFile {
  using reader = new SafetensorsReader(path);
  return {
    tensors: new Map(Array.from(reader.tensors.values(), ({ name }) => [name, reader.read(name)])),
    metadata: reader.metadata,
  };
}

/** An open file whose header has been checked; tensors are read when they are asked for. */
export class SafetensorsReader implements Disposable {
  readonly path: string;
  /** In the order of their places. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #descriptor: number;
  readonly #dataStart: number;

  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (reason) {
      throw CrucibleError.from(reason);
    }
    try {
      const { entries, metadata, dataStart } = readHeader(this.#descriptor, fstatSync(this.#descriptor).size, path);
      this.tensors = new Map(entries.map((entry) => [entry.name, entry]));
      this.metadata = metadata;
      this.#dataStart = dataStart;
    } catch (reason) {
      this.close();
      throw CrucibleError.from(reason);
    }
  }

  read(name: string): NdArray {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`internal: ${this.path} has no tensor ${name}`);
    const { dtype, shape, start, end } = tensor;
    const raw = readExactly(this.#descriptor, this.#dataStart + start, end - start, this.path);
    return arrayFromBytes(dtype, shape, raw.buffer, (what) => {
      throw invalidInput(`${this.path}: tensor ${name} ${what}`, { at: this.path });
    });
  }

  /** The values of a tensor as they lie in the file. */
  readBytes(name: string): Uint8Array {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`internal: ${this.path} has no tensor ${name}`);
    const { start, end } = tensor;
    return new Uint8Array(readExactly(this.#descriptor, this.#dataStart + start, end - start, this.path).buffer);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface Header {
  readonly entries: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataStart: number;
}

function readHeader(descriptor: number, size: number, path: string): Header {
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  if (size < 8) fail(`${size} bytes are no safetensors file`);
  const length = Number(readExactly(descriptor, 0, 8, path).readBigUInt64LE());
  if (length > largestHeader) fail(`the header claims ${length} bytes; at most ${largestHeader} are allowed`);
  if (8 + length > size) fail(`the header claims ${length} bytes, the file has ${size - 8} after its first eight`);
  const json = parseJson(readExactly(descriptor, 8, length, path), fail);
  const entries: StoredTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of json) {
    if (name === '__metadata__') metadata = parseMetadata(value, fail);
    else entries.push(parseEntry(name, value, fail));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = 0;
  for (const entry of entries) {
    if (entry.start !== end) fail(`tensor ${entry.name} starts at ${entry.start}; the one before ends at ${end}`);
    end = entry.end;
  }
  const data = size - 8 - length;
  if (end !== data) fail(`the tensors take ${end} bytes, the file has ${data}`);
  return { entries, metadata, dataStart: 8 + length };
}

type Fail = (what: string) => never;

function parseJson(bytes: Buffer, fail: Fail): [string, unknown][] {
  let text = '';
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    // Said below, without the parser's view of it.
  }
  if (!isRecord(value)) return fail('the header is no JSON object');
  const repeated = repeatedKey(text);
  if (repeated !== undefined) fail(`the header has ${JSON.stringify(repeated)} twice`);
  return Object.entries(value);
}

/** A key that an object in valid JSON has twice, which the format forbids and JSON.parse lets pass. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  let string = '';
  for (let i = 0; i < json.length; i++) {
    if (json[i] === '{') open.push(new Set());
    else if (json[i] === '}') open.pop();
    else if (json[i] === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
      string = json.slice(start, i + 1);
    } else if (json[i] === ':') {
      const key = JSON.parse(string) as string;
      if (open.at(-1)!.has(key)) return key;
      open.at(-1)!.add(key);
    }
  }
  return undefined;
}

function parseMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isRecord(value)) return fail('__metadata__ is no object');
  const entries = Object.entries(value);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    return fail('__metadata__ holds something other than text');
  }
  return Object.fromEntries(entries);
}

function parseEntry(name: string, value: unknown, fail: Fail): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(storedTypes, dtype)) {
    return fail(`tensor ${name} has dtype ${String(dtype)}; supported are ${Object.keys(storedTypes).join(', ')}`);
  }
  if (!isCountList(shape) || shape.length > mostAxes) return fail(`tensor ${name} has no valid shape`);
  if (!isCountList(offsets) || offsets.length !== 2) return fail(`tensor ${name} has no valid data_offsets`);
  const stored = dtype as StoredType;
  const [start, end] = offsets as [number, number];
  const needed = sizeOf(shape) * storedTypes[stored].bytes;
  if (end - start !== needed) {
    fail(`tensor ${name}, ${dtype} ${formatShape(shape)}, needs ${needed} bytes and has ${end - start}`);
  }
  return { name, dtype: stored, shape, start, end };
}

function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function readExactly(descriptor: number, position: number, length: number, path: string): Buffer<ArrayBuffer> {
  const buffer = Buffer.from(new ArrayBuffer(length));
  for (let at = 0; at < length;) {
    const read = readSync(descriptor, buffer, at, Math.min(length - at, 1 << 30), position + at);
    if (read === 0) throw new CrucibleError('data-loss', `${path}: ended at byte ${position + at}, in the middle`);
    at += read;
  }
  return buffer;
}
