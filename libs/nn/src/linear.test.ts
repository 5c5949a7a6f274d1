import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { add, compile, type FloatArray, floats, gradient, matmul, mul, sum, tanh, type Tensor } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { linear, linearByColumns, type LowRank } from './linear.ts';

const random = Random.seeded(4);
const normal = (...shape: number[]): FloatArray =>
  floats(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

const [inputs, outputs, rank, scale] = [6, 5, 2, 0.7];

/** Loss and gradients of a layer with a product of low rank beside its weight, and of the same written out. */
async function compared(rows: readonly number[], byColumns: boolean) {
  const given = {
    x: normal(...rows, inputs),
    weight: byColumns ? normal(inputs, outputs) : normal(outputs, inputs),
    bias: normal(outputs),
    down: normal(rank, inputs),
    up: normal(outputs, rank),
    by: normal(...rows, outputs),
  };
  const layer = byColumns ? linearByColumns : linear;
  const program = (product: (operands: { readonly [K in keyof typeof given]: Tensor }) => Tensor) =>
    compile(given, (operands) => {
      const y = product(operands);
      const loss = sum(mul(tanh(y), operands.by));
      const { x, weight, bias, down, up } = operands;
      return { y, gradients: gradient(loss, { x, weight, bias, down, up }) };
    });
  const layered = await program(({ x, weight, bias, down, up }) =>
    layer(x, { weight, bias, lowRank: { down, up, scale } satisfies LowRank }),
  );
  const written = await program(({ x, weight, bias, down, up }) => {
    const beside = matmul(matmul(x, down, { transposeB: true, alpha: scale }), up, { transposeB: true });
    return add(add(matmul(x, weight, { transposeB: !byColumns }), bias), beside);
  });
  const [found, expected] = [await layered.run(given), await written.run(given)];
  await layered.dispose();
  await written.dispose();
  return { found, expected };
}

describe.each([
  ['few rows, beside the weight', [2, 1]],
  ['many rows, within the weight', [2, 8]],
] as const)('a product of low rank with %s', (_what, rows) => {
  it.each([
    ['[out, in]', false],
    ['[in, out]', true],
  ] as const)('of a weight %s gives what its two products give, and their gradients', async (_layout, byColumns) => {
    const { found, expected } = await compared(rows, byColumns);
    expect(found.y.data).toBeAllClose(expected.y.data, { rtol: 1e-5, atol: 1e-5 });
    for (const [name, { data }] of Object.entries(found.gradients))
      expect(data, name).toBeAllClose(expected.gradients[name as 'x'].data, { rtol: 1e-4, atol: 1e-5 });
  });
});
