/** What a compiled training step saves beside the plain one: each rewrite shown, and its numbers against the reference. */
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { topologicalOrder } from '../ir/graph.ts';
import { printProgram } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { add, gelu, mul, square } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { pad, transpose } from '../library/movement.ts';
import { layerNorm, rmsNorm } from '../library/neural.ts';
import { sum } from '../library/reduction.ts';
import { type FloatArray, floats } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { operatorsOf, runOnOnnx } from '../testing/primitive-cases.ts';
import { trace } from '../trace/compile.ts';
import { optimize } from './passes.ts';

type Arrays = Readonly<Record<string, FloatArray>>;

function normal(shape: Shape, seed: number): FloatArray {
  const random = Random.seeded(seed);
  return floats(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

/** How often each primitive is in the optimized program, whose results ONNX Runtime and the reference agree on. */
async function countsOf<A extends Arrays>(
  inputs: A,
  build: (inputs: Record<keyof A, Tensor>) => object,
): Promise<(primitive: string) => number> {
  const { program } = trace(inputs, build as never);
  const optimized = optimize(program);
  const expected = evaluate(program, inputs);
  (await runOnOnnx(optimized, inputs)).forEach(({ shape, data }, i) => {
    expect(shape).toEqual(expected[i]!.shape);
    const scale = Math.max(...Array.from(expected[i]!.data, Math.abs));
    expected[i]!.data.forEach((value, j) => expect(Math.abs(data[j]! - value)).toBeLessThan(2e-5 * (1 + scale)));
  });
  const order = topologicalOrder(optimized.outputs);
  return (primitive) => order.filter((tensor) => tensor.primitive === primitive).length;
}

describe('normalisation', () => {
  const inputs = { x: normal([4, 6], 1), w: normal([6], 2), b: normal([6], 3) };
  const norms = {
    layerNorm: (x: Tensor, w: Tensor, b: Tensor) => layerNorm(x, w, b, 1e-5),
    rmsNorm: (x: Tensor, w: Tensor) => rmsNorm(x, w, 1e-5),
  };

  it.each(['layerNorm', 'rmsNorm'] as const)('%s is worked out once for a layer and its gradient', async (kind) => {
    const counts = await countsOf(inputs, ({ x, w, b }) => {
      const y = norms[kind](norms[kind](x, w, b), w, b);
      return { y, by: gradient(sum(square(y)), kind === 'layerNorm' ? { x, w, b } : { x, w }) };
    });
    expect(counts(kind)).toBe(2);
  });

  it.each(['layerNorm', 'rmsNorm'] as const)('%s keeps its weight where nothing is differentiated', async (kind) => {
    const counts = await countsOf(inputs, ({ x, w, b }) => ({ y: norms[kind](x, w, b) }));
    expect([counts(kind), counts('mul'), counts('add')]).toEqual([1, 0, 0]);
  });
});

describe('gelu', () => {
  const inputs = { x: normal([4, 3], 1), up: normal([3, 5], 2), bias: normal([5], 3), down: normal([5, 2], 4) };
  const layer = ({ x, up, bias, down }: Record<keyof typeof inputs, Tensor>): Tensor =>
    matmul(gelu(add(matmul(x, up), bias)), down);

  it('shares its error function with its gradient, and the products around it take its constants', async () => {
    const counts = await countsOf(inputs, (tensors) => {
      const y = layer(tensors);
      return { y, by: gradient(sum(mul(y, y.graph.constant('float32', [4, 2], normal([4, 2], 5).data))), tensors) };
    });
    expect([counts('gelu'), counts('erf')]).toEqual([0, 1]);
    // s (1 + erf s), s², s e^(-s²), dy times both, and the bias by √½ and its gradient by ½
    expect(counts('mul')).toBe(6);
  });

  it('stays one kernel where nothing is differentiated', async () => {
    const counts = await countsOf(inputs, (tensors) => ({ y: layer(tensors) }));
    expect([counts('gelu'), counts('erf'), counts('mul')]).toEqual([1, 0, 0]);
  });
});

describe('batched products of a transposed operand', () => {
  it('transpose the smaller one, and the results meet behind their sum', async () => {
    const inputs = {
      p: normal([2, 4, 8], 1),
      q: normal([2, 4, 4], 2),
      d: normal([2, 4, 2], 3),
      e: normal([2, 4, 2], 4),
    };
    const build = ({ p, q, d, e }: Record<keyof typeof inputs, Tensor>): object => {
      const longer = pad(matmul(q, e, { transposeA: true }), [0, 0, 0], [0, 4, 0]);
      return { y: transpose(add(matmul(p, d, { transposeA: true }), longer), [0, 2, 1]) };
    };
    const counts = await countsOf(inputs, build);
    expect(counts('transpose')).toBe(0);
    expect(printProgram(optimize(trace(inputs, build as never).program))).toContain('matmul(d, p) {transposeA');
  });
});

describe('sums over rows', () => {
  it('are made in parts where they are long', async () => {
    const counts = await countsOf({ x: normal([2, 64, 600], 1) }, ({ x }) => ({ y: sum(x, { axes: [0, 1] }) }));
    expect(counts('sum')).toBe(2);
    const short = await countsOf({ x: normal([2, 64, 6], 1) }, ({ x }) => ({ y: sum(x, { axes: [0, 1] }) }));
    expect(short('sum')).toBe(1);
  });
});

describe('a bias', () => {
  it('of a large product is added after it, a small one within it', async () => {
    const build = ({ x, w, b }: Record<'x' | 'w' | 'b', Tensor>): object => ({ y: add(matmul(x, w), b) });
    const operators = async (rows: number): Promise<string[]> => {
      const inputs = { x: normal([rows, 3], 1), w: normal([3, 64], 2), b: normal([64], 3) };
      await countsOf(inputs, build);
      return operatorsOf(optimize(trace(inputs, build as never).program));
    };
    expect(await operators(8)).toEqual(['Gemm']);
    expect(await operators(1200)).toEqual(['Gemm', 'Add']);
  });
});

describe('pads', () => {
  it.each([
    [
      [0, 0],
      [0, 3],
    ],
    [
      [2, 0],
      [1, 0],
    ],
    [
      [0, 1],
      [0, 0],
    ],
    [
      [1, 1],
      [1, 1],
    ],
  ])('%j before and %j after are zeros', async (before, after) => {
    await countsOf({ x: normal([3, 4], 1) }, ({ x }) => ({ y: pad(x, before, after) }));
  });
});
