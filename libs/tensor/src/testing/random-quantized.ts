import type { Random } from '@crucible/foundation';
import { blocksOf, type QuantizedBits, QuantizedMatrix } from '../quantized-matrix.ts';

/** For tests: a matrix of random whole numbers, scales and zeros. */
export function randomQuantized(
  random: Random,
  bits: QuantizedBits,
  [rows, columns]: readonly [number, number],
): QuantizedMatrix {
  const blocks = rows * blocksOf(columns);
  const draw = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.integer(0, 2 ** bits - 1));
  return QuantizedMatrix.fromCodes(draw(rows * columns), {
    bits,
    rows,
    columns,
    scales: Float32Array.from({ length: blocks }, () => random.uniform() / 2 ** bits),
    zeros: draw(blocks),
  });
}
