/** Strict UTF-8: bytes that are none are an error that says where, not a replacement character. */
import { isUtf8 } from 'node:buffer';
import { invalidInput } from '@crucible/foundation';

/** Decodes text; `at` names the file, or file and line, in the error. Offsets are counted from 0. */
export function decodeUtf8(bytes: Uint8Array, at: string): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const hint =
    (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) ? ' but UTF-16' : '';
  throw invalidInput(`${at}: byte ${invalidByte(bytes)} is not UTF-8${hint}; texts must be UTF-8`, { at });
}

/** The offset of the first byte of the first sequence that is not UTF-8. */
function invalidByte(bytes: Uint8Array): number {
  let at = 0;
  for (let length = sequenceLength(bytes, at); length > 0; length = sequenceLength(bytes, at)) at += length;
  return at;
}

/** The length of the sequence at `at`; 0 where none begins (Unicode standard, table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0xff;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    const [low, high] = i === 1 ? secondByteRange(first) : [0x80, 0xbf];
    if (byte < low || byte > high) return 0;
  }
  return length;
}

/** Leaves out overlong forms, surrogates, and what lies above U+10FFFF. */
function secondByteRange(first: number): readonly [low: number, high: number] {
  switch (first) {
    case 0xe0:
      return [0xa0, 0xbf];
    case 0xed:
      return [0x80, 0x9f];
    case 0xf0:
      return [0x90, 0xbf];
    case 0xf4:
      return [0x80, 0x8f];
    default:
      return [0x80, 0xbf];
  }
}
