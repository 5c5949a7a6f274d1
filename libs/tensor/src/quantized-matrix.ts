/**
 * Matrices of few bits, as ONNX Runtime's MatMulNBits takes them: each row is cut into blocks of 32 numbers, and a block
 * has whole numbers from 0 to 2^bits - 1, a scale, and the whole number that stands for 0.
 */
import { invalidInput } from '@crucible/foundation';

/** Numbers that share a scale. */
export const quantizedBlock = 32;

export type QuantizedBits = 4 | 8;

export interface QuantizedParts {
  readonly bits: QuantizedBits;
  readonly rows: number;
  readonly columns: number;
  /** [rows, blocks, 32 · bits / 8]: the first of two numbers of four bits in the lower half of a byte. */
  readonly packed: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** What stands for 0, [rows, blocks]. */
  readonly zeros: Uint8Array;
}

/** A matrix [rows, columns] of few bits; never changed once it is there. */
export class QuantizedMatrix implements QuantizedParts {
  readonly bits: QuantizedBits;
  readonly rows: number;
  readonly columns: number;
  readonly packed: Uint8Array;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;

  constructor({ bits, rows, columns, packed, scales, zeros }: QuantizedParts) {
    const blocks = rows * blocksOf(columns);
    const lengths = [packed.length, scales.length, zeros.length];
    const expected = [(blocks * quantizedBlock * bits) / 8, blocks, blocks];
    if (lengths.some((length, i) => length !== expected[i])) {
      throw invalidInput(
        `quantised matrix [${rows}, ${columns}] of ${bits} bits: ${lengths.join(', ')} numbers, scales and zeros; ${expected.join(', ')} are needed`,
      );
    }
    this.bits = bits;
    this.rows = rows;
    this.columns = columns;
    this.packed = packed;
    this.scales = scales;
    this.zeros = zeros;
  }

  /** Of whole numbers [rows, columns]. */
  static fromCodes(codes: Uint8Array, parts: Omit<QuantizedParts, 'packed'>): QuantizedMatrix {
    const { bits, rows, columns } = parts;
    const blocks = blocksOf(columns);
    const bytes = (quantizedBlock * bits) / 8;
    const packed = new Uint8Array(rows * blocks * bytes);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < columns; i++) {
        const at = row * blocks * quantizedBlock + i;
        const code = codes[row * columns + i]!;
        if (bits === 8) packed[at] = code;
        else packed[at >> 1]! |= i % 2 === 0 ? code : code << 4;
      }
    }
    return new QuantizedMatrix({ ...parts, packed });
  }

  /** The numbers that it stands for, [rows, columns]. */
  dequantized(): Float32Array {
    const { bits, rows, columns, packed, scales, zeros } = this;
    const blocks = blocksOf(columns);
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < columns; i++) {
        const block = row * blocks + Math.floor(i / quantizedBlock);
        const at = row * blocks * quantizedBlock + i;
        const code = bits === 8 ? packed[at]! : (packed[at >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 15;
        values[row * columns + i] = (code - zeros[block]!) * scales[block]!;
      }
    }
    return values;
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.packed.byteLength + this.scales.byteLength + this.zeros.byteLength;
  }

  /** As it stands in printed programs. */
  toJSON(): string {
    return `${this.bits} bits [${this.rows},${this.columns}]`;
  }
}

/** Blocks of a row. */
export function blocksOf(columns: number): number {
  return Math.ceil(columns / quantizedBlock);
}
