/** The element types of safetensors, and what they are in memory: floats are float32, whole numbers int32 or uint32. */
import type { HostType, NdArray, Shape } from '@crucible/tensor';

/** Bytes of an element, and the type that holds it here. */
export const storedTypes = {
  F64: { bytes: 8, dtype: 'float32' },
  F32: { bytes: 4, dtype: 'float32' },
  F16: { bytes: 2, dtype: 'float32' },
  BF16: { bytes: 2, dtype: 'float32' },
  I64: { bytes: 8, dtype: 'int32' },
  I32: { bytes: 4, dtype: 'int32' },
  I16: { bytes: 2, dtype: 'int32' },
  I8: { bytes: 1, dtype: 'int32' },
  U64: { bytes: 8, dtype: 'int32' },
  U32: { bytes: 4, dtype: 'uint32' },
  U16: { bytes: 2, dtype: 'int32' },
  U8: { bytes: 1, dtype: 'int32' },
  BOOL: { bytes: 1, dtype: 'bool' },
} as const satisfies Record<string, { bytes: number; dtype: HostType }>;

export type StoredType = keyof typeof storedTypes;

/** How float32 is written. */
export type FloatType = 'F32' | 'F16' | 'BF16';

export function storedTypeOf(dtype: HostType, floats: FloatType): StoredType {
  return dtype === 'float32' ? floats : ({ int32: 'I32', uint32: 'U32', bool: 'BOOL' } as const)[dtype];
}

/** The array of little-endian `raw` bytes; `fail` is told what does not fit int32. Halves are widened exactly. */
export function arrayFromBytes(
  type: StoredType,
  shape: Shape,
  raw: ArrayBuffer,
  fail: (what: string) => never,
): NdArray {
  switch (type) {
    case 'F32':
      return { dtype: 'float32', shape, data: new Float32Array(raw) };
    case 'F64':
      return { dtype: 'float32', shape, data: new Float32Array(new Float64Array(raw)) };
    case 'F16':
      return { dtype: 'float32', shape, data: new Float32Array(new Float16Array(raw)) };
    case 'BF16':
      return { dtype: 'float32', shape, data: widenBfloat16(new Uint16Array(raw)) };
    case 'BOOL':
      return { dtype: 'bool', shape, data: truths(new Uint8Array(raw), fail) };
    case 'I32':
      return { dtype: 'int32', shape, data: new Int32Array(raw) };
    case 'I16':
      return { dtype: 'int32', shape, data: new Int32Array(new Int16Array(raw)) };
    case 'I8':
      return { dtype: 'int32', shape, data: new Int32Array(new Int8Array(raw)) };
    case 'U16':
      return { dtype: 'int32', shape, data: new Int32Array(new Uint16Array(raw)) };
    case 'U8':
      return { dtype: 'int32', shape, data: new Int32Array(new Uint8Array(raw)) };
    case 'U32':
      return { dtype: 'uint32', shape, data: new Uint32Array(raw) };
    case 'I64':
      return { dtype: 'int32', shape, data: narrowed(new BigInt64Array(raw), fail) };
    case 'U64':
      return { dtype: 'int32', shape, data: narrowed(new BigUint64Array(raw), fail) };
  }
}

/** Little-endian bytes of an array; `fail` is told what a half precision cannot hold. Rounds to the nearest, ties to even. */
export function bytesFromArray({ dtype, data }: NdArray, floats: FloatType, fail: (what: string) => never): Uint8Array {
  const own = (values: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): Uint8Array =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype !== 'float32' || floats === 'F32') return own(data);
  const values = data as Float32Array;
  return own(floats === 'F16' ? narrowFloat16(values, fail) : narrowBfloat16(values));
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
  return new Float32Array(words.buffer);
}

function narrowBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    // Rounding could carry a NaN into an infinity: its upper half is kept, as a quiet one.
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}

function narrowFloat16(values: Float32Array, fail: (what: string) => never): Float16Array {
  const halves = new Float16Array(values);
  for (let i = 0; i < halves.length; i++) {
    if (Math.abs(halves[i]!) === Infinity && Math.abs(values[i]!) !== Infinity) {
      fail(`holds ${values[i]}, which is beyond the range of float16; bfloat16 has room for it`);
    }
  }
  return halves;
}

function narrowed(values: BigInt64Array | BigUint64Array, fail: (what: string) => never): Int32Array {
  const result = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]!);
    if (value !== (value | 0)) fail(`holds ${values[i]}, which is beyond the range of int32`);
    result[i] = value;
  }
  return result;
}

function truths(values: Uint8Array, fail: (what: string) => never): Uint8Array {
  const other = values.find((value) => value > 1);
  return other === undefined ? values : fail(`holds ${other}, which is neither 0 nor 1`);
}
