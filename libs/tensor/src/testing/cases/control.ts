import { Graph, type Program } from '../../ir/graph.ts';
import type { ControlParams } from '../../ir/primitive.ts';
import type { Tensor, TensorType } from '../../ir/tensor.ts';
import { add, less, mul, sin, tanh } from '../../library/elementwise.ts';
import { matmul } from '../../library/linalg.ts';
import { reshape } from '../../library/movement.ts';
import type { Shape } from '../../shape.ts';
import { bools, type Cases } from './row.ts';

function program(types: readonly TensorType[], build: (...inputs: Tensor[]) => readonly Tensor[]): Program {
  const graph = new Graph();
  const inputs = types.map(({ shape, dtype }, i) => graph.input(`x${i}`, shape, dtype));
  return { inputs, outputs: build(...inputs) };
}

const float = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });
const int = (...shape: number[]): TensorType => ({ shape, dtype: 'int32' });

/** (h, count, x, w) → (tanh(h w + x), count + 1, h sin x): values of the step before and its own are needed backwards. */
const recurrence = program([float(1, 2), int(), float(1, 2), float(2, 2)], (h, count, x, w) => {
  const next = tanh(add(matmul(h, w), mul(x, 0.5)));
  return [next, add(count, 1), mul(h, sin(x))];
});

const recurrentParams = { body: recurrence, carries: 2, sequences: 1, length: 3, reverse: false, recompute: false };
const recurrentOperands = [
  { shape: [1, 2] },
  { shape: [] as Shape, dtype: 'int32' as const, draw: () => 5 },
  { shape: [3, 1, 2] },
  { shape: [2, 2] },
];

const doubling = [int(), int()] as const;

const twoWays = [float(2), float(2, 1)] as const;
const branches = {
  then: program(twoWays, (x, w) => [mul(x, sin(reshape(w, [2]))), x]),
  otherwise: program(twoWays, (x) => [mul(x, x), mul(x, 2)]),
};

export const controlCases: Cases<keyof ControlParams> = {
  scan: {
    cases: [
      { params: recurrentParams, operands: recurrentOperands },
      { params: { ...recurrentParams, reverse: true }, operands: recurrentOperands },
      { params: { ...recurrentParams, recompute: true }, operands: recurrentOperands },
    ],
    differentiable: [0, 2, 3],
    smooth: true,
  },
  // It has no gradient and says so when it is asked for one; see control.test.ts.
  whileLoop: {
    cases: [
      {
        params: {
          condition: program(doubling, (i, limit) => [less(i, limit)]),
          body: program(doubling, (i) => [mul(i, 2)]),
          carries: 1,
        },
        operands: [
          { shape: [], dtype: 'int32', draw: () => 3 },
          { shape: [], dtype: 'int32', draw: () => 40 },
        ],
      },
    ],
  },
  branch: {
    cases: [0, 1].map((predicate) => ({
      params: branches,
      operands: [{ ...bools([]), draw: () => predicate }, { shape: [2] }, { shape: [2, 1] }],
    })),
    differentiable: [1, 2],
    smooth: true,
  },
  checkpoint: {
    cases: [
      {
        params: { body: program([float(2, 3), float(3, 2)], (x, w) => [tanh(matmul(x, w)), sin(x)]) },
        operands: [{ shape: [2, 3] }, { shape: [3, 2] }],
      },
    ],
    differentiable: [0, 1],
    smooth: true,
  },
  // What it passes on is what it is told: see control.test.ts.
  customGradient: { cases: [], differentiable: [1], smooth: true },
};
