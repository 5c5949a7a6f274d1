/**
 * The GGUF format (ggml, version 3): metadata as typed keys and values, a list of tensors, then their values, each on a
 * boundary of 32 bytes. All numbers are little-endian. Sizes of a tensor come with the fastest first: the reverse of ours.
 */
import { writeFileWith, writeFully } from '@crucible/foundation';
import { type Shape, sizeOf } from '@crucible/tensor';
import { blockSize, encodeBlocks, ggmlTypes, type GgmlType } from './ggml-types.ts';

const alignment = 32;

/** Types of metadata values. */
const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

export type MetadataValue =
  | { readonly type: 'uint32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'float32s' | 'int32s'; readonly value: readonly number[] };

export interface GgufTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly type: GgmlType;
  /** Made when its turn comes. */
  readonly read: () => Float32Array;
}

/** Writes a file, atomically. */
export function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: readonly GgufTensor[],
): void {
  const parts: Buffer[] = [Buffer.from('GGUF'), uint32(3), uint64(tensors.length), uint64(metadata.size)];
  for (const [key, value] of metadata) parts.push(text(key), valueBytes(value));
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    const sizes = shape.toReversed();
    parts.push(text(name), uint32(sizes.length), ...sizes.map(uint64), uint32(ggmlTypes[type].code), uint64(offset));
    offset += padded(bytesOf({ shape, type }));
  }
  const header = Buffer.concat(parts);
  writeFileWith(path, (descriptor) => {
    writeFully(descriptor, header);
    writeFully(descriptor, Buffer.alloc(padded(header.length) - header.length));
    for (const tensor of tensors) {
      const bytes = encodeBlocks(tensor.type, tensor.read());
      writeFully(descriptor, bytes);
      writeFully(descriptor, Buffer.alloc(padded(bytes.length) - bytes.length));
    }
  });
}

function bytesOf({ shape, type }: Pick<GgufTensor, 'shape' | 'type'>): number {
  return (sizeOf(shape) / blockSize(type)) * ggmlTypes[type].bytes;
}

function padded(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function valueBytes(entry: MetadataValue): Buffer {
  switch (entry.type) {
    case 'uint32':
      return Buffer.concat([uint32(valueTypes.uint32), uint32(entry.value)]);
    case 'float32':
      return Buffer.concat([uint32(valueTypes.float32), float32(entry.value)]);
    case 'bool':
      return Buffer.concat([uint32(valueTypes.bool), Buffer.of(Number(entry.value))]);
    case 'string':
      return Buffer.concat([uint32(valueTypes.string), text(entry.value)]);
    case 'strings':
      return array(valueTypes.string, entry.value.map(text));
    case 'float32s':
      return array(valueTypes.float32, entry.value.map(float32));
    case 'int32s':
      return array(valueTypes.int32, entry.value.map(uint32));
  }
}

function array(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(valueTypes.array), uint32(type), uint64(items.length), ...items]);
}

/** Also an int32 of the same bits. */
function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer;
}

function uint64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function float32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return buffer;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}
