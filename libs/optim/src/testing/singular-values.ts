/** Matrices of known singular values, in float64: the reference for orthogonalisation. */
import type { Random } from '@crucible/foundation';

/** A random orthogonal matrix, by rows: the product of `size` Householder reflections. */
export function randomOrthogonal(size: number, random: Random): number[][] {
  let q = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => Number(i === j)));
  for (let n = 0; n < size; n++) {
    const v = Array.from({ length: size }, () => random.normal());
    const squared = v.reduce((sum, x) => sum + x * x, 0);
    q = q.map((row) => {
      const along = row.reduce((sum, x, k) => sum + x * v[k]!, 0);
      return row.map((x, k) => x - (2 * along * v[k]!) / squared);
    });
  }
  return q;
}

/** U Σ Vᵀ for orthogonal `u` and `v` and the given singular values: [u.length, v.length], row-major. */
export function fromSingularValues(u: number[][], values: readonly number[], v: number[][]): Float64Array {
  const product = new Float64Array(u.length * v.length);
  u.forEach((left, i) => {
    v.forEach((right, j) => {
      product[i * v.length + j] = values.reduce((sum, value, k) => sum + value * left[k]! * right[k]!, 0);
    });
  });
  return product;
}

/**
 * What Muon's Newton–Schulz iteration makes of each singular value: it acts on them alone, through the odd polynomial
 * of Jordan et al. 2024, after division by the Frobenius norm.
 */
export function iteratedSingularValues(values: readonly number[], iterations = 5): number[] {
  const norm = Math.hypot(...values);
  return values.map((value) => {
    let x = value / norm;
    for (let i = 0; i < iterations; i++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
    return x;
  });
}
