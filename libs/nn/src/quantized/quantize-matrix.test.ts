import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { quantizedBlock } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { ErrorMinimizer, roundToNearest } from './quantize-matrix.ts';

const [rows, columns] = [24, 80];

function normals(length: number, seed: number): Float32Array {
  const random = Random.seeded(seed);
  return Float32Array.from({ length }, () => random.normal());
}

/** Inputs most of which go along with few directions, as those of real products. */
function correlated(count: number): Float32Array {
  const [hidden, mixing, noise] = [normals(count * 6, 2), normals(6 * columns, 3), normals(count * columns, 4)];
  return Float32Array.from({ length: count * columns }, (_, at) => {
    const [n, i] = [Math.floor(at / columns), at % columns];
    let total = 0.1 * noise[at]!;
    for (let k = 0; k < 6; k++) total += hidden[n * 6 + k]! * mixing[k * columns + i]!;
    return total;
  });
}

function gramOf(x: Float32Array): Float64Array {
  const gram = new Float64Array(columns ** 2);
  for (let n = 0; n < x.length / columns; n++)
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) gram[i * columns + j]! += x[n * columns + i]! * x[n * columns + j]!;
  return gram;
}

/** Σ (x (W - Q)ᵀ)². */
function productError(x: Float32Array, w: Float32Array, q: Float32Array): number {
  let total = 0;
  for (let n = 0; n < x.length / columns; n++) {
    for (let row = 0; row < rows; row++) {
      let error = 0;
      for (let i = 0; i < columns; i++) error += x[n * columns + i]! * (w[row * columns + i]! - q[row * columns + i]!);
      total += error ** 2;
    }
  }
  return total;
}

describe.each([4, 8] as const)('a matrix of %d bits', (bits) => {
  const w = normals(rows * columns, 1);

  it('has each number to the nearest that its block can hold', () => {
    const matrix = roundToNearest(w, { rows, columns, bits });
    const values = matrix.dequantized();
    for (let row = 0; row < rows; row++) {
      for (let block = 0; block < 3; block++) {
        const part = (all: Float32Array): number[] =>
          [...all.subarray(row * columns, (row + 1) * columns)].slice(
            block * quantizedBlock,
            (block + 1) * quantizedBlock,
          );
        const [own, held] = [part(w), part(values)];
        const step = (Math.max(0, ...own) - Math.min(0, ...own)) / (2 ** bits - 1);
        expect(matrix.scales[row * 3 + block]).toBeAllClose(step, { rtol: 1e-6 });
        // Half a step, and at the ends of a block half a step more, as 0 stands for a whole number.
        own.forEach((value, i) => expect(Math.abs(value - held[i]!)).toBeLessThanOrEqual(step * 1.001));
        const within = own.filter((value, i) => Math.abs(value - held[i]!) <= step * 0.501);
        expect(within.length).toBeGreaterThanOrEqual(own.length - 2);
      }
    }
  });

  it('is rounded to the nearest where inputs have nothing to do with each other', () => {
    const unit = new Float64Array(columns ** 2);
    for (let i = 0; i < columns; i++) unit[i * columns + i] = 3;
    const minimized = new ErrorMinimizer(unit, columns).quantize(w, rows, bits);
    expect(minimized.packed).toEqual(roundToNearest(w, { rows, columns, bits }).packed);
  });

  it('makes up for its errors where inputs go together', () => {
    const x = correlated(400);
    const nearest = productError(x, w, roundToNearest(w, { rows, columns, bits }).dequantized());
    const minimized = productError(x, w, new ErrorMinimizer(gramOf(x), columns).quantize(w, rows, bits).dequantized());
    expect(minimized).toBeLessThan(0.5 * nearest);
  });
});

it('holds constant rows and rows of zeros', () => {
  const w = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? 0 : -0.75));
  expect([...roundToNearest(w, { rows: 2, columns: 32, bits: 4 }).dequantized()]).toBeAllClose([...w], { atol: 1e-6 });
});

it('has room for inputs that are always 0', () => {
  const x = correlated(100);
  for (let n = 0; n < 100; n++) x[n * columns + 5] = 0;
  const values = new ErrorMinimizer(gramOf(x), columns).quantize(normals(columns, 1), 1, 4).dequantized();
  expect(values.every(Number.isFinite)).toBe(true);
});

it('refuses inputs that are no numbers', () => {
  const gram = new Float64Array(4).fill(NaN);
  expect(() => new ErrorMinimizer(gram, 2)).toThrow('what the matrices are multiplied with is not finite');
});
