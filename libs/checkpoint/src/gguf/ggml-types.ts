/** How ggml stores numbers: whole, half, or in blocks of 32 that share a scale. */

/** Number in the format, elements of a block, and its bytes. */
export const ggmlTypes = {
  f32: { code: 0, elements: 1, bytes: 4 },
  f16: { code: 1, elements: 1, bytes: 2 },
  q4_0: { code: 2, elements: 32, bytes: 18 },
  q8_0: { code: 8, elements: 32, bytes: 34 },
} as const;

export type GgmlType = keyof typeof ggmlTypes;

export function blockSize(type: GgmlType): number {
  return ggmlTypes[type].elements;
}

/** Bytes of values whose number is a multiple of the block. */
export function encodeBlocks(type: GgmlType, values: Float32Array): Uint8Array {
  switch (type) {
    case 'f32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'f16':
      return new Uint8Array(new Float16Array(values).buffer);
    case 'q8_0':
      return encodeQ8(values);
    case 'q4_0':
      return encodeQ4(values);
  }
}

/** Scale d = largest magnitude / 127 as float16, then 32 times x / d rounded, as int8. */
function encodeQ8(values: Float32Array): Uint8Array {
  const { elements, bytes } = ggmlTypes.q8_0;
  const result = new Uint8Array((values.length / elements) * bytes);
  const view = new DataView(result.buffer);
  for (let block = 0, at = 0; block < values.length; block += elements, at += bytes) {
    let largest = 0;
    for (let i = 0; i < elements; i++) largest = Math.max(largest, Math.abs(values[block + i]!));
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setFloat16(at, scale, true);
    for (let i = 0; i < elements; i++)
      view.setInt8(at + 2 + i, roundAwayFromZero(Math.fround(values[block + i]! * inverse)));
  }
  return result;
}

/**
 * Scale d = the value of largest magnitude / -8 as float16, then 32 times x / d + 8 as four bits: element i in the lower
 * half of byte i, element i + 16 in the upper.
 */
function encodeQ4(values: Float32Array): Uint8Array {
  const { elements, bytes } = ggmlTypes.q4_0;
  const result = new Uint8Array((values.length / elements) * bytes);
  const view = new DataView(result.buffer);
  for (let block = 0, at = 0; block < values.length; block += elements, at += bytes) {
    let extreme = 0;
    for (let i = 0; i < elements; i++) {
      const value = values[block + i]!;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const scale = Math.fround(extreme / -8);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const level = (i: number): number => Math.min(15, Math.trunc(Math.fround(values[block + i]! * inverse) + 8.5));
    view.setFloat16(at, scale, true);
    for (let i = 0; i < elements / 2; i++) result[at + 2 + i] = level(i) | (level(i + elements / 2) << 4);
  }
  return result;
}

function roundAwayFromZero(value: number): number {
  return value < 0 ? -Math.round(-value) : Math.round(value);
}
