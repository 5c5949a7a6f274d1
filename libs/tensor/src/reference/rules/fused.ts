import type { FusedParams } from '../../ir/primitive.ts';
import { forEachIndex, lastSize, logSumExpOf, type ReferenceRules, rows } from './rule.ts';

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
};

function meanOf(row: Float64Array): number {
  return row.reduce((a, b) => a + b, 0) / row.length;
}

function inverseStdOf(row: Float64Array, epsilon: number): number {
  const mean = meanOf(row);
  return 1 / Math.sqrt(meanOf(row.map((value) => (value - mean) ** 2)) + epsilon);
}
