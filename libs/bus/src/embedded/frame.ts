/**
 * One record of a segment, little-endian:
 *
 *     crc32 u32 | length u32 | synced u32 | time f64 | payload (length bytes)
 *
 * `crc32` covers all that follows it. `synced` says up to which byte of the segment the disk had confirmed everything
 * when the record was written: it tells damage to confirmed data from a tail that a power cut tore. `time` is in ms
 * since 1970.
 */
import { crc32 } from 'node:zlib';

const headerBytes = 20;

export interface Frame {
  readonly payload: Buffer;
  readonly time: number;
  readonly synced: number;
  /** Where the next frame begins. */
  readonly end: number;
}

export function encodeFrame(payload: Uint8Array, time: number, synced: number): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.byteLength);
  frame.writeUInt32LE(payload.byteLength, 4);
  frame.writeUInt32LE(synced, 8);
  frame.writeDoubleLE(time, 12);
  frame.set(payload, headerBytes);
  frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
  return frame;
}

/** The frame that begins at `offset`; undefined when there is none, or not all of it. */
export function decodeFrame(bytes: Buffer, offset: number): Frame | undefined {
  if (offset + headerBytes > bytes.byteLength) return undefined;
  const length = bytes.readUInt32LE(offset + 4);
  const end = offset + headerBytes + length;
  if (length === 0 || end > bytes.byteLength) return undefined;
  if (crc32(bytes.subarray(offset + 4, end)) !== bytes.readUInt32LE(offset)) return undefined;
  return {
    payload: bytes.subarray(offset + headerBytes, end),
    synced: bytes.readUInt32LE(offset + 8),
    time: bytes.readDoubleLE(offset + 12),
    end,
  };
}
