import type { LeafParams } from '../../ir/primitive.ts';
import { ndArray } from '../../nd-array.ts';
import type { Cases } from './row.ts';

export const leafCases: Cases<keyof LeafParams> = {
  input: { cases: [] },
  constant: { cases: [{ params: { value: ndArray('float32', [3], Float32Array.of(1, -2, 0.5)) }, operands: [] }] },
  range: {
    cases: [
      { params: { length: 5, dtype: 'int32' }, operands: [] },
      { params: { length: 3, dtype: 'uint32' }, operands: [] },
    ],
  },
  // Picks of nodes with several results: see cases/control.ts.
  part: { cases: [], differentiable: [0], smooth: true },
};
