/** Numbers as whole numbers of few bits: to the nearest, or such that the errors of a row make up for each other. */
import { invalidInput } from '@crucible/foundation';
import { blocksOf, type QuantizedBits, quantizedBlock, QuantizedMatrix } from '@crucible/tensor';

/** What a block's whole numbers mean. */
interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** A matrix [rows, columns], each number to the nearest that its block can hold. */
export function roundToNearest(
  values: Float32Array,
  { rows, columns, bits }: { readonly rows: number; readonly columns: number; readonly bits: QuantizedBits },
): QuantizedMatrix {
  const blocks = blocksOf(columns);
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  const zeros = new Uint8Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * quantizedBlock;
      const end = Math.min(start + quantizedBlock, (row + 1) * columns);
      const grid = gridOf(values.subarray(start, end), bits);
      scales[row * blocks + block] = grid.scale;
      zeros[row * blocks + block] = grid.zero;
      for (let i = start; i < end; i++) codes[i] = codeOf(values[i]!, grid, bits);
    }
  }
  return QuantizedMatrix.fromCodes(codes, { bits, rows, columns, scales, zeros });
}

/** From the least to the largest of the numbers, with 0 among what can be held. */
function gridOf(values: Float32Array | Float64Array, bits: QuantizedBits): Grid {
  let [low, high] = [0, 0];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const most = 2 ** bits - 1;
  // As it is stored
  const scale = Math.fround((high - low) / most) || 1;
  return { scale, zero: Math.min(most, Math.max(0, Math.round(-low / scale))) };
}

function codeOf(value: number, { scale, zero }: Grid, bits: QuantizedBits): number {
  return Math.min(2 ** bits - 1, Math.max(0, Math.round(value / scale) + zero));
}

/** Share of the mean of the diagonal that is added to it, so that what was seldom seen counts too. */
const damping = 0.01;

/**
 * The error that is left in one column is made up for by the columns that come after it, as far as the inputs of the product
 * let it (GPTQ, Frantar et al. 2023). `gram` [columns, columns] is Σ xᵀx over inputs x of the product, as they come in use;
 * it is changed. Columns go in their order, and a block's grid is chosen when its turn comes.
 */
export class ErrorMinimizer {
  readonly #columns: number;
  /** Upper triangle U with (gram + damping)⁻¹ = Uᵀ U, row after row. */
  readonly #factor: Float64Array;

  constructor(gram: Float64Array, columns: number) {
    this.#columns = columns;
    this.#factor = inverseFactor(gram, columns);
  }

  /** A matrix [rows, columns] of which the product is taken with inputs like those of the Gram matrix. */
  quantize(values: Float32Array, rows: number, bits: QuantizedBits): QuantizedMatrix {
    const columns = this.#columns;
    const factor = this.#factor;
    const blocks = blocksOf(columns);
    const codes = new Uint8Array(rows * columns);
    const scales = new Float32Array(rows * blocks);
    const zeros = new Uint8Array(rows * blocks);
    const left = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      left.set(values.subarray(row * columns, (row + 1) * columns));
      let grid: Grid = { scale: 1, zero: 0 };
      for (let i = 0; i < columns; i++) {
        if (i % quantizedBlock === 0) {
          const block = row * blocks + i / quantizedBlock;
          grid = gridOf(left.subarray(i, Math.min(i + quantizedBlock, columns)), bits);
          scales[block] = grid.scale;
          zeros[block] = grid.zero;
        }
        const code = codeOf(left[i]!, grid, bits);
        codes[row * columns + i] = code;
        const line = i * columns;
        const error = (left[i]! - (code - grid.zero) * grid.scale) / factor[line + i]!;
        for (let j = i + 1; j < columns; j++) left[j]! -= error * factor[line + j]!;
      }
    }
    return QuantizedMatrix.fromCodes(codes, { bits, rows, columns, scales, zeros });
  }
}

/** Of H = A Aᵀ with A upper triangular, the inverse of A: then H⁻¹ = Uᵀ U for U = A⁻¹. */
function inverseFactor(h: Float64Array, n: number): Float64Array {
  let mean = 0;
  for (let i = 0; i < n; i++) mean += h[i * n + i]! / n;
  for (let i = 0; i < n; i++) h[i * n + i]! += damping * mean || 1;
  // Cholesky from the last row up, in place of the upper triangle
  for (let j = n - 1; j >= 0; j--) {
    let pivot = h[j * n + j]!;
    for (let k = j + 1; k < n; k++) pivot -= h[j * n + k]! ** 2;
    if (!(pivot > 0)) throw invalidInput('calibration: what the matrices are multiplied with is not finite');
    const root = Math.sqrt(pivot);
    h[j * n + j] = root;
    for (let i = 0; i < j; i++) {
      let sum = h[i * n + j]!;
      for (let k = j + 1; k < n; k++) sum -= h[i * n + k]! * h[j * n + k]!;
      h[i * n + j] = sum / root;
    }
  }
  // Row by row from the last: (A⁻¹)_i = (e_i - Σ_{k>i} A_ik (A⁻¹)_k) / A_ii
  const inverse = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const row = inverse.subarray(i * n, (i + 1) * n);
    row[i] = 1;
    for (let k = i + 1; k < n; k++) {
      const factor = h[i * n + k]!;
      if (factor === 0) continue;
      for (let j = k; j < n; j++) row[j]! -= factor * inverse[k * n + j]!;
    }
    const pivot = h[i * n + i]!;
    for (let j = i; j < n; j++) row[j]! /= pivot;
  }
  return inverse;
}
