import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { expect, it } from 'vitest';
import { matmulQuantized } from './library/linalg.ts';
import { floats } from './nd-array.ts';
import { QuantizedMatrix } from './quantized-matrix.ts';
import { compile } from './trace/compile.ts';
import { randomQuantized } from './testing/random-quantized.ts';

it('packs numbers of four bits two to a byte, the first below', () => {
  const codes = Uint8Array.from({ length: 34 }, (_, i) => i % 16);
  const matrix = QuantizedMatrix.fromCodes(codes, {
    bits: 4,
    rows: 1,
    columns: 34,
    scales: Float32Array.of(0.5, 2),
    zeros: Uint8Array.of(3, 1),
  });
  const first = Array.from({ length: 16 }, (_, i) => ((2 * i) % 16) + 16 * ((2 * i + 1) % 16));
  expect([...matrix.packed]).toEqual([...first, 0x10, ...new Array<number>(15).fill(0)]);
  const expected = [...codes].map((code, i) => (i < 32 ? (code - 3) * 0.5 : (code - 1) * 2));
  expect([...matrix.dequantized()]).toEqual(expected);
  expect(matrix.bytes).toBe(32 + 8 + 2);
});

it('refuses parts that do not make a matrix', () => {
  const parts = { bits: 8, rows: 2, columns: 40, scales: new Float32Array(4), zeros: new Uint8Array(4) } as const;
  expect(() => new QuantizedMatrix({ ...parts, packed: new Uint8Array(80) })).toThrow(
    'quantised matrix [2, 40] of 8 bits: 80, 4, 4 numbers, scales and zeros; 128, 4, 4 are needed',
  );
});

it.each([4, 8] as const)(
  'multiplies by %d bits as by the numbers that they stand for, up to rounding of x',
  async (bits) => {
    const random = Random.seeded(bits);
    const weight = randomQuantized(random, bits, [96, 160]);
    const whole = weight.dequantized();
    const x = floats(
      [2, 3, 160],
      Float32Array.from({ length: 960 }, () => random.normal()),
    );
    const program = await compile({ x }, ({ x: given }) => ({
      exact: matmulQuantized(given, weight, 'float32'),
      fast: matmulQuantized(given, weight),
    }));
    const { exact, fast } = await program.run({ x });
    await program.dispose();
    expect(exact.shape).toEqual([2, 3, 96]);
    const expected = Float64Array.from({ length: 6 * 96 }, (_, at) => {
      const [row, column] = [Math.floor(at / 96), at % 96];
      let total = 0;
      for (let i = 0; i < 160; i++) total += x.data[row * 160 + i]! * whole[column * 160 + i]!;
      return total;
    });
    expect(exact.data).toBeAllClose(expected, { atol: 1e-4, rtol: 1e-4 });
    // x has eight bits by blocks: an error of about a part in 127 / √3 of its largest number, in every product.
    const size = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
    const error = Math.sqrt(
      expected.reduce((sum, value, i) => sum + (fast.data[i]! - value) ** 2, 0) / expected.length,
    );
    expect(error / size).toBeLessThan(0.02);
  },
);
