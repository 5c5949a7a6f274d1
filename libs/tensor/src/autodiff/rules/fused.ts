import type { FusedParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { onesLike } from '../../library/creation.ts';
import { add, mul, neg, sub, sumTo } from '../../library/elementwise.ts';
import { scatterAlong } from '../../library/indexing.ts';
import { matmul } from '../../library/linalg.ts';
import { reshape } from '../../library/movement.ts';
import { layerNorm, rmsNorm, rotary } from '../../library/neural.ts';
import { mean, softmax, sum } from '../../library/reduction.ts';
import { type GradientRules, noGradient } from '../rule.ts';

const lastAxis = { axes: -1, keepDims: true } as const;

export const fusedGradients: GradientRules<keyof FusedParams> = {
  // dx = y (dy - Σ dy y)
  softmax: (y, dy) => [mul(y, sub(dy, sum(mul(dy, y), lastAxis)))],

  // With r = 1/rms, n = x r, h = dy w: dx = r (h - n mean(h n)), dw = Σ dy n
  rmsNorm: (y, dy) => {
    const [x, weight] = y.inputs as [Tensor, Tensor];
    const normalised = rmsNorm(x, onesLike(weight), y.params.epsilon);
    const inverse = x.graph.node('inverseRms', [x], y.params);
    const weighted = mul(dy, weight);
    const projection = mul(normalised, mean(mul(weighted, normalised), lastAxis));
    return [mul(inverse, sub(weighted, projection)), sumTo(mul(dy, normalised), weight.shape)];
  },
  // dr/dx = -r³ x / d
  inverseRms: (y, dy) => {
    const x = y.inputs[0]!;
    return [mul(x, mul(dy, mul(cube(y), -1 / lastSize(x))))];
  },

  // With r = 1/std, n = (x - mean) r, h = dy w: dx = r (h - mean(h) - n mean(h n)), dw = Σ dy n, db = Σ dy
  layerNorm: (y, dy) => {
    const [x, weight, bias] = y.inputs as [Tensor, Tensor, Tensor];
    const normalised = layerNorm(x, onesLike(weight), mul(onesLike(bias), 0), y.params.epsilon);
    const inverse = x.graph.node('inverseStd', [x], y.params);
    const weighted = mul(dy, weight);
    const projection = mul(normalised, mean(mul(weighted, normalised), lastAxis));
    const dx = mul(inverse, sub(sub(weighted, mean(weighted, lastAxis)), projection));
    return [dx, sumTo(mul(dy, normalised), weight.shape), sumTo(dy, bias.shape)];
  },
  // dr/dx = -r³ (x - mean) / d
  inverseStd: (y, dy) => {
    const x = y.inputs[0]!;
    return [mul(sub(x, mean(x, lastAxis)), mul(dy, mul(cube(y), -1 / lastSize(x))))];
  },

  // A rotation's transpose is the rotation by the opposite angle
  rotary: (y, dy) => {
    const [, positions, cos, sin] = y.inputs as [Tensor, Tensor, Tensor, Tensor];
    return [rotary(dy, positions, cos, neg(sin), y.params.heads), undefined, undefined, undefined];
  },

  tokenLogProbability: (y, dy) => {
    const by = (by: 'hidden' | 'weight'): Tensor =>
      y.graph.node('tokenLogProbabilityGradient', [...y.inputs, dy], { by, rows: y.params.rows });
    return [by('hidden'), by('weight'), undefined];
  },
  // With Z = H Wᵀ, P = softmax Z, E the rows of the identity at the targets and G = dy (E - P): y = G W or Gᵀ H, whose
  // dG is dz Wᵀ or H dzᵀ. Then d(dy) = Σ dG (E - P), and dZ = P (Σ P q - q) with q = dy dG.
  tokenLogProbabilityGradient: (y, dz) => {
    const [hidden, weight, targets, dy] = y.inputs as [Tensor, Tensor, Tensor, Tensor];
    const p = softmax(matmul(hidden, weight, { transposeB: true }));
    const column = (x: Tensor): Tensor => reshape(x, [-1, 1]);
    const missing = scatterAlong(mul(p, -1), column(targets), onesLike(column(dy)));
    const g = mul(missing, column(dy));
    const byHidden = y.params.by === 'hidden';
    const dg = byHidden ? matmul(dz, weight, { transposeB: true }) : matmul(hidden, dz, { transposeB: true });
    const q = mul(dg, column(dy));
    const ofLogits = mul(p, sub(sum(mul(p, q), lastAxis), q));
    const fromHidden = matmul(ofLogits, weight);
    const fromWeight = matmul(ofLogits, hidden, { transposeA: true });
    return [
      byHidden ? fromHidden : add(fromHidden, matmul(g, dz)),
      byHidden ? add(fromWeight, matmul(g, dz, { transposeA: true })) : fromWeight,
      undefined,
      sum(mul(dg, missing), { axes: -1 }),
    ];
  },
  likeliestToken: noGradient,
};

function cube(x: Tensor): Tensor {
  return mul(x, mul(x, x));
}

function lastSize(x: Tensor): number {
  return x.shape[x.rank - 1]!;
}
