import type { FusedParams } from '../../ir/primitive.ts';
import { forEachIndex, lastSize, logSumExpOf, type ReferenceArray, type ReferenceRules, rows } from './rule.ts';

export const fusedReference: ReferenceRules<keyof FusedParams> = {
  softmax: (y, [x]) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const total = logSumExpOf(row);
      row.forEach((value, j) => (y.data[r * size + j] = Math.exp(value - total)));
    });
  },
  rmsNorm: (y, [x, weight], { epsilon }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const inverse = 1 / Math.sqrt(meanOf(row.map((value) => value * value)) + epsilon);
      row.forEach((value, j) => (y.data[r * size + j] = value * inverse * weight!.data[j]!));
    });
  },
  inverseRms: (y, [x], { epsilon }) => {
    rows(x!, (row, r) => (y.data[r] = 1 / Math.sqrt(meanOf(row.map((value) => value * value)) + epsilon)));
  },
  layerNorm: (y, [x, weight, bias], { epsilon }) => {
    const size = lastSize(x!);
    rows(x!, (row, r) => {
      const inverse = inverseStdOf(row, epsilon);
      const mean = meanOf(row);
      row.forEach((value, j) => (y.data[r * size + j] = (value - mean) * inverse * weight!.data[j]! + bias!.data[j]!));
    });
  },
  inverseStd: (y, [x], { epsilon }) => rows(x!, (row, r) => (y.data[r] = inverseStdOf(row, epsilon))),
  rotary: (y, [x, positions, cos, sin], { heads }) => {
    const [batch, time, width] = x!.shape as [number, number, number];
    const size = width / heads;
    const half = size / 2;
    forEachIndex([batch, time, heads, half], ([b, t, head, j]) => {
      const first = (b! * time + t!) * width + head! * size + j!;
      const angle = positions!.data[b! * time + t!]! * half + j!;
      const [c, s] = [cos!.data[angle]!, sin!.data[angle]!];
      const [left, right] = [x!.data[first]!, x!.data[first + half]!];
      y.data[first] = left * c - right * s;
      y.data[first + half] = right * c + left * s;
    });
  },
  tokenLogProbability: (y, [hidden, weight, targets]) => {
    logits(hidden!, weight!, (row, r) => (y.data[r] = row[targets!.data[r]!]! - logSumExpOf(row)));
  },
  tokenLogProbabilityGradient: (y, [hidden, weight, targets, dy], { by }) => {
    const size = lastSize(hidden!);
    y.data.fill(0);
    logits(hidden!, weight!, (row, r) => {
      const total = logSumExpOf(row);
      row.forEach((value, token) => {
        const g = dy!.data[r]! * (Number(token === targets!.data[r]!) - Math.exp(value - total));
        for (let k = 0; k < size; k++) {
          if (by === 'hidden') y.data[r * size + k]! += g * weight!.data[token * size + k]!;
          else y.data[token * size + k]! += g * hidden!.data[r * size + k]!;
        }
      });
    });
  },
  likeliestToken: (y, [hidden, weight]) => {
    logits(hidden!, weight!, (row, r) => (y.data[r] = row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity))));
  },
};

/** Rows of hidden weightᵀ. */
function logits(hidden: ReferenceArray, weight: ReferenceArray, visit: (row: Float64Array, r: number) => void): void {
  const size = lastSize(hidden);
  rows(hidden, (h, r) => {
    const dot = (token: number): number => h.reduce((sum, value, k) => sum + value * weight.data[token * size + k]!, 0);
    visit(
      Float64Array.from({ length: weight.shape[0]! }, (_, token) => dot(token)),
      r,
    );
  });
}

function meanOf(row: Float64Array): number {
  return row.reduce((a, b) => a + b, 0) / row.length;
}

function inverseStdOf(row: Float64Array, epsilon: number): number {
  const mean = meanOf(row);
  return 1 / Math.sqrt(meanOf(row.map((value) => (value - mean) ** 2)) + epsilon);
}
