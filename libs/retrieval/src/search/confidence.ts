/**
 * Whether the best passage fits at all: a probability from how much of the query's weight (idf) the passage covers and how
 * alike the two are. The coefficients are fitted on queries whose passage is there and on the same ones with it hidden.
 */
export interface FitSigns {
  /** Share of the query's idf whose terms are in the best passage. */
  readonly coverage: number;
  /** Cosine of the best passage; 0 without an embedder. */
  readonly similarity: number;
}

export interface FitModel {
  readonly bias: number;
  readonly coverage: number;
  readonly similarity: number;
}

/** Half of the query's weight must be covered. */
export const defaultFitModel: FitModel = { bias: -5, coverage: 10, similarity: 0 };

export function fitProbability({ bias, coverage, similarity }: FitModel, signs: FitSigns): number {
  return 1 / (1 + Math.exp(-(bias + coverage * signs.coverage + similarity * signs.similarity)));
}

/** Logistic regression by Newton's method with a little decay, so that separable examples end too. */
export function fitFitModel(examples: readonly { readonly signs: FitSigns; readonly fits: boolean }[]): FitModel {
  const decay = 0.05;
  let w = [0, 0, 0];
  for (let round = 0; round < 25; round++) {
    const gradient = w.map((value, i) => (i === 0 ? 0 : decay * value));
    const hessian = w.map((_unused, i) => w.map((_also, j) => (i === j ? decay : 0)));
    for (const { signs, fits } of examples) {
      const x = [1, signs.coverage, signs.similarity];
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * w[i]!, 0)));
      x.forEach((xi, i) => {
        gradient[i]! += (p - (fits ? 1 : 0)) * xi;
        x.forEach((xj, j) => (hessian[i]![j]! += p * (1 - p) * xi * xj));
      });
    }
    const step = solve(hessian, gradient);
    w = w.map((value, i) => value - step[i]!);
    if (Math.max(...step.map(Math.abs)) < 1e-8) break;
  }
  return { bias: w[0]!, coverage: w[1]!, similarity: w[2]! };
}

/** Gaussian elimination with pivots. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const size = rows.length;
  for (let i = 0; i < size; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(rows[best]![i]!) ? i + k : best), i);
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let k = i + 1; k < size; k++) {
      const factor = rows[k]![i]! / rows[i]![i]!;
      for (let j = i; j <= size; j++) rows[k]![j]! -= factor * rows[i]![j]!;
    }
  }
  const result = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const rest = result.reduce((sum, value, j) => (j > i ? sum + rows[i]![j]! * value : sum), 0);
    result[i] = (rows[i]![size]! - rest) / rows[i]![i]!;
  }
  return result;
}
