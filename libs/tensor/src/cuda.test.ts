/**
 * What is made for CUDA, without a card: every primitive, its gradients, its element types, and random programs as they are
 * lowered for it, run on the CPU. Whether a card has the kernels, `node testing/device-suite.ts cuda` says there.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '@crucible/foundation';
import { Graph } from './ir/graph.ts';
import type { Primitive } from './ir/primitive.ts';
import { floats, ints, type NdArray } from './nd-array.ts';
import type { Shape } from './shape.ts';
import { operatorsOf, primitiveCases, type Row, runOnOnnx, traceCase } from './testing/primitive-cases.ts';
import { runDeviceSuite, type SuiteRun } from './testing/run-device-suite.ts';

describe('a program that is lowered for CUDA', () => {
  let run: SuiteRun;

  beforeAll(async () => {
    run = await runDeviceSuite('cuda:cpu');
  }, 600_000);

  it('agrees with the reference', () => {
    expect(run.failure).toBeUndefined();
    expect(run.lines.length).toBeGreaterThan(300);
    expect(run.lines.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  // Those that ONNX Runtime's CUDA provider has no kernels for
  const missing = /^(A?(Sin|Cos|Tan)h|Tan|A(sin|cos|tan)|A(sin|cos|tan)h|Bitwise\w+|BitShift)$/;

  it.each(Object.entries(primitiveCases) as [Primitive, Row<Primitive>][])(
    'has no operator in %s that CUDA lacks',
    (primitive, { cases }) => {
      const operators = cases.flatMap((example) => {
        const { inputs, y } = traceCase(primitive, example, Random.seeded(1));
        return operatorsOf({ inputs, outputs: [y] }, 'cuda');
      });
      expect(operators.filter((name) => name !== 'Tanh' && missing.test(name))).toEqual([]);
    },
  );
});

describe('functions that are composed for CUDA', () => {
  async function run(primitive: Primitive, params: object, inputs: readonly NdArray[]): Promise<NdArray> {
    const graph = new Graph();
    const nodes = inputs.map(({ shape, dtype }, i) => graph.input(`x${i}`, shape, dtype));
    const feeds = Object.fromEntries(inputs.map((array, i) => [`x${i}`, array]));
    const program = { inputs: nodes, outputs: [graph.node(primitive, nodes, params as never)] };
    return (await runOnOnnx(program, feeds, 'cuda', 'cpu'))[0]!;
  }

  const signed = (...values: readonly number[]): number[] => values.flatMap((value) => [value, -value]);

  it.each([
    ['tan', signed(0, 1e-6, 0.3, 1.5, 2, 3, 30, 300)],
    ['asin', signed(0, 1e-6, 0.1, 0.5, 0.9, 0.9999, 1, 1.1)],
    ['acos', signed(0, 1e-6, 0.1, 0.5, 0.9, 0.9999, 1, 1.1)],
    ['atan', signed(0, 1e-6, 0.1, 0.41, 0.42, 0.99, 1, 1.01, 3, 1e5, 1e30, Infinity)],
    ['sinh', signed(0, 1e-6, 0.1, 0.99, 1, 1.01, 10, 88, 89, 90, Infinity)],
    ['cosh', signed(0, 1e-6, 0.1, 0.99, 1, 1.01, 10, 88, 89, 90, Infinity)],
    ['asinh', signed(0, 1e-6, 0.1, 1, 10, 8191, 8193, 1e15, 1e30, Infinity)],
    ['acosh', [0.9, 1, 1.0001, 1.5, 10, 8191, 8193, 1e15, 1e30, Infinity, -1, -3]],
    ['atanh', signed(0, 1e-6, 0.1, 0.5, 0.9, 0.999, 1, 1.1)],
  ] as const)('%s is exact to float32, from tiny numbers to infinity', async (name, values) => {
    const rounded = values.map(Math.fround);
    const found = (await run(name, {}, [floats([values.length], rounded)])).data;
    rounded.forEach((x, i) => {
      const [expected, is] = [Math.fround(Math[name](x)), found[i]!];
      if (!Number.isFinite(expected)) expect(is, `${name} ${x}`).toBe(expected);
      // Some units in the last place
      else expect(Math.abs(is - expected), `${name} ${x}`).toBeLessThanOrEqual(Math.abs(expected) * 4e-7 + 1e-12);
    });
  });

  it('leave integers as they are beyond what float32 tells apart', async () => {
    const x = ints([2, 3], [2 ** 30, 2 ** 30 + 1, 2 ** 30 + 1, -(2 ** 30) - 1, -(2 ** 30), -(2 ** 30) - 1]);
    expect((await run('argMax', { axis: 1 }, [x])).data).toEqual(Int32Array.of(1, 1));
    expect((await run('argMin', { axis: 1 }, [x])).data).toEqual(Int32Array.of(0, 0));
    const padded = await run('pad', { before: [0, 1], after: [1, 0] }, [x, ints([], [2 ** 30 + 3])]);
    expect(padded.shape).toEqual([3, 4]);
    expect(Array.from(padded.data).slice(0, 5)).toEqual([2 ** 30 + 3, 2 ** 30, 2 ** 30 + 1, 2 ** 30 + 1, 2 ** 30 + 3]);
    expect(Array.from(padded.data).slice(8)).toEqual(Array(4).fill(2 ** 30 + 3));
    const added = await run('scatterAdd', {}, [x, ints([2], [1, 1]), ints([2, 3], [1, 2, 3, 4, 5, 6])]);
    expect(Array.from(added.data).slice(3)).toEqual([-(2 ** 30) + 4, -(2 ** 30) + 7, -(2 ** 30) + 8]);
  });

  // Of CUDA's MatMul, as many matrices on both sides are the same ones.
  it.each<[Shape, Shape, boolean]>([
    [[2, 1, 2, 3], [2, 3, 2], true],
    [[2, 1, 2, 3], [1, 2, 3, 2], true],
    [[3, 1, 1, 2, 3], [1, 3, 1, 3, 2], true],
    [[2, 2, 3], [1, 2, 3, 2], false],
    [[2, 2, 2, 3], [2, 3, 2], false],
    [[1, 2, 3], [1, 1, 3, 2], false],
  ])('spread batches of %j and %j: %j', (a, b, isSpread) => {
    const graph = new Graph();
    const inputs = [graph.input('a', a, 'float32'), graph.input('b', b, 'float32')];
    const product = graph.node('matmul', inputs, { transposeA: false, transposeB: false, alpha: 1 });
    expect(operatorsOf({ inputs, outputs: [product] }, 'cuda').includes('Expand')).toBe(isSpread);
  });
});
