import {
  add,
  matmul,
  maximum,
  mul,
  reciprocal,
  sqrt,
  squaredNorm,
  sub,
  type Tensor,
  transpose,
} from '@crucible/tensor';

export interface MuonOptions {
  /** Decay of the momentum. Default: 0.95. */
  readonly momentum?: number;
  /** Decoupled weight decay, multiplied by the learning rate. Default: 0. */
  readonly weightDecay?: number;
  /** Newton–Schulz iterations. Default: 5. */
  readonly iterations?: number;
}

export interface MuonState {
  readonly momentum: Tensor;
}

/** Coefficients of the quintic iteration that brings singular values into about 0.7 … 1.2 (Jordan et al. 2024). */
const [a, b, c] = [3.4445, -4.775, 2.0315];

/** An approximation of U Vᵀ for x = U Σ Vᵀ: the nearest semi-orthogonal matrix, by Newton–Schulz iteration. */
export function orthogonalize(x: Tensor, iterations = 5): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const isTall = rows > columns;
  let y = isTall ? transpose(x) : x;
  y = mul(y, reciprocal(maximum(sqrt(squaredNorm(y)), 1e-7)));
  for (let i = 0; i < iterations; i++) {
    const gram = matmul(y, y, { transposeB: true });
    const polynomial = add(mul(gram, b), matmul(gram, gram, { alpha: c }));
    y = add(mul(y, a), matmul(polynomial, y));
  }
  return isTall ? transpose(y) : y;
}

/**
 * One step of Muon (Jordan et al. 2024) for a matrix, with Nesterov momentum. The update is scaled to the root mean
 * square of 0.2 that AdamW's has (Liu et al. 2025, "Muon is scalable", section 2.2), so that one learning rate and one
 * weight decay serve both. The gradient is multiplied by `factor` (default: 1).
 */
export function muonStep(
  parameter: Tensor,
  gradient: Tensor,
  state: MuonState,
  { rate, factor }: { readonly rate: Tensor; readonly factor?: Tensor },
  options: MuonOptions = {},
): { parameter: Tensor; state: MuonState } {
  const { momentum: decay = 0.95, weightDecay = 0, iterations = 5 } = options;
  const given = factor ? mul(gradient, factor) : gradient;
  const momentum = add(mul(state.momentum, decay), given);
  const direction = orthogonalize(add(mul(momentum, decay), given), iterations);
  const scale = 0.2 * Math.sqrt(Math.max(...parameter.shape));
  const decayed = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(rate, weightDecay)));
  return { parameter: sub(decayed, mul(direction, mul(rate, scale))), state: { momentum } };
}
