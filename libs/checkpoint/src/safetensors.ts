/**
 * The safetensors format (huggingface/safetensors): eight bytes of little-endian header length, a JSON header
 * {name: {dtype, shape, data_offsets}}, then the raw little-endian values. Files come from anywhere, so the header is
 * checked in full before any value is read.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CrucibleError, invalidInput, writeFileWith, writeFully } from '@crucible/foundation';
import { type DType, flatten, formatShape, isNdArray, type NdArray, type Shape, sizeOf } from '@crucible/tensor';
import { isRecord } from './is-record.ts';

/** The format's own limit on the header. */
const largestHeader = 100_000_000;

interface Entry {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: Shape;
  readonly start: number;
  readonly end: number;
}

/** How each stored type is held here; half precisions are widened to float32. */
const storedTypes = {
  F32: { bytes: 4, dtype: 'float32' },
  F16: { bytes: 2, dtype: 'float32' },
  BF16: { bytes: 2, dtype: 'float32' },
  I32: { bytes: 4, dtype: 'int32' },
  BOOL: { bytes: 1, dtype: 'bool' },
} as const satisfies Record<string, { bytes: number; dtype: DType }>;

type StoredType = keyof typeof storedTypes;

const storedTypeOf = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const satisfies Record<DType, StoredType>;

/** Writes a tree of arrays, atomically; the tensors' names are the paths. `metadata` goes into the header. */
export function writeSafetensors(path: string, tree: object, metadata: Readonly<Record<string, string>> = {}): void {
  const leaves = flatten(tree, isNdArray);
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  let offset = 0;
  for (const { path: name, leaf } of leaves) {
    const end = offset + leaf.data.byteLength;
    header[name] = { dtype: storedTypeOf[leaf.dtype], shape: leaf.shape, data_offsets: [offset, end] };
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
    for (const { leaf } of leaves) {
      writeFully(descriptor, new Uint8Array(leaf.data.buffer, leaf.data.byteOffset, leaf.data.byteLength));
    }
  });
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads every tensor of a file. */
export function readSafetensors(path: string): SafetensorsFile {
  try {
    const descriptor = openSync(path, 'r');
    try {
      return readTensors(descriptor, path);
    } finally {
      closeSync(descriptor);
    }
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
}

function readTensors(descriptor: number, path: string): SafetensorsFile {
  const { size } = fstatSync(descriptor);
  const { entries, metadata, dataStart } = readHeader(descriptor, size, path);
  const tensors = new Map<string, NdArray>();
  for (const entry of entries) {
    const raw = readExactly(descriptor, dataStart + entry.start, entry.end - entry.start, path);
    tensors.set(entry.name, arrayOf(entry, raw));
  }
  return { tensors, metadata };
}

interface Header {
  readonly entries: readonly Entry[];
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
  const entries: Entry[] = [];
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

function parseEntry(name: string, value: unknown, fail: Fail): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(storedTypes, dtype)) {
    return fail(`tensor ${name} has dtype ${String(dtype)}; supported are ${Object.keys(storedTypes).join(', ')}`);
  }
  if (!isCountList(shape)) return fail(`tensor ${name} has no valid shape`);
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

function arrayOf({ dtype, shape }: Entry, raw: Buffer<ArrayBuffer>): NdArray {
  switch (dtype) {
    case 'F32':
      return { dtype: 'float32', shape, data: new Float32Array(raw.buffer) };
    case 'I32':
      return { dtype: 'int32', shape, data: new Int32Array(raw.buffer) };
    case 'BOOL':
      return { dtype: 'bool', shape, data: new Uint8Array(raw.buffer) };
    case 'BF16':
      return { dtype: 'float32', shape, data: widenBfloat16(new Uint16Array(raw.buffer)) };
    case 'F16':
      return { dtype: 'float32', shape, data: Float32Array.from(new Float16Array(raw.buffer)) };
  }
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array): Float32Array {
  const words = Uint32Array.from(halves, (half) => (half << 16) >>> 0);
  return new Float32Array(words.buffer);
}
