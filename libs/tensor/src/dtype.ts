/**
 * Element types of tensors. Integers are int32: ids, positions, lengths; uint32 holds random bits. The halves are what the
 * pass `half-precision` puts into programs: users' tensors are float32.
 */
export type DType = HostType | HalfType;

/** Those of arrays on the host, and of what programs take and give. */
export type HostType = 'float32' | 'int32' | 'uint32' | 'bool';

export type HalfType = 'float16' | 'bfloat16';

export function isHalf(dtype: DType): dtype is HalfType {
  return dtype === 'float16' || dtype === 'bfloat16';
}

/** The typed array that holds elements of a dtype on the host; a bool is one byte, 0 or 1. */
export interface HostArrays {
  float32: Float32Array;
  int32: Int32Array;
  uint32: Uint32Array;
  bool: Uint8Array;
  // Halves are never on the host but in the reference, which rounds.
  float16: Float32Array;
  bfloat16: Float32Array;
}

export type HostArray = HostArrays[DType];

export function createHostArray<D extends DType>(dtype: D, length: number): HostArrays[D];
export function createHostArray(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'uint32':
      return new Uint32Array(length);
    case 'bool':
      return new Uint8Array(length);
    case 'float16':
    case 'bfloat16':
      return new Float32Array(length);
  }
}

/** The nearest number of a half type, of two as near the even one. */
export function roundToHalf(value: number, dtype: HalfType): number {
  if (dtype === 'float16') return Math.f16round(value);
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  if (Number.isFinite(value)) bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0]!;
}
