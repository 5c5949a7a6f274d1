import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { roundToHalf } from '../dtype.ts';
import { printProgram } from '../ir/print.ts';
import type { TensorType } from '../ir/tensor.ts';
import { causalAttention, causalMask } from '../library/attention.ts';
import { add, mul, tanh } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { reshape, split, transpose } from '../library/movement.ts';
import { layerNorm } from '../library/neural.ts';
import { sum } from '../library/reduction.ts';
import { floats, type NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { runOnOnnx } from '../testing/primitive-cases.ts';
import { compile, type Signature, trace } from '../trace/compile.ts';
import { optimize } from './passes.ts';

const f = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });

function halved<I>(signature: I, build: (inputs: Signature<I>) => object): string {
  return printProgram(optimize(trace(signature, build).program, 'float16'));
}

describe('half precision', () => {
  it('has products alone in halves', () => {
    const text = halved({ x: f(2, 3), w: f(3, 4), g: f(4), b: f(4) }, ({ x, w, g, b }) => ({
      y: layerNorm(tanh(matmul(x, w)), g, b, 1e-5),
    }));
    expect(text).toMatchInlineSnapshot(`
      "(x: float32[2,3], w: float32[3,4], g: float32[4], b: float32[4]) {
        %0: float16[2,3] = cast(x) {dtype: "float16"}
        %1: float16[3,4] = cast(w) {dtype: "float16"}
        %2: float16[2,4] = matmul(%0, %1) {alpha: 1}
        %3: float32[2,4] = cast(%2) {dtype: "float32"}
        %4: float32[2,4] = tanh(%3)
        %5: float32[2,4] = layerNorm(%4, g, b) {epsilon: 0.00001}
        return %5
      }"
    `);
  });

  it('has no casts between products, nor where elements only move', () => {
    const text = halved({ x: f(2, 3), w: f(3, 4), v: f(2, 4) }, ({ x, w, v }) => ({
      y: matmul(v, transpose(reshape(matmul(x, w), [2, 4]))),
    }));
    expect(text.match(/cast\(/g)).toHaveLength(4);
  });

  const random = Random.seeded(7);
  const drawn = (...shape: number[]): NdArray<'float32'> =>
    floats(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
    );
  const inputs = { x: drawn(1, 5, 8), qkv: drawn(8, 24), out: drawn(8, 8) };
  const { program } = trace(inputs, ({ x, qkv, out }) => {
    const parts = split(matmul(x, qkv), 3, 2);
    const [queries, keys, values] = parts.map((part) => transpose(reshape(part, [1, 5, 2, 4]), [0, 2, 1, 3]));
    const attended = causalAttention(queries!, keys!, values!, causalMask(x.graph, 5));
    const y = matmul(reshape(transpose(attended, [0, 2, 1, 3]), [1, 5, 8]), out);
    const loss = sum(mul(add(y, x), 0.1));
    return [y, ...gradient(loss, [x, qkv, out])];
  });
  const exact = evaluate(program, inputs);

  it.each([
    ['float16', 2e-2],
    ['bfloat16', 1.5e-1],
  ] as const)('of %s is the reference’s, and near float32', async (half, tolerance) => {
    const optimized = optimize(program, half);
    const expected = evaluate(optimized, inputs);
    const found = await runOnOnnx(optimized, inputs);
    found.forEach(({ data }, i) => {
      const scale = Math.max(...exact[i]!.data.map(Math.abs));
      data.forEach((value: number, j: number) => {
        // A sum in another order may be rounded to the next half.
        expect(Math.abs(value - expected[i]!.data[j]!)).toBeLessThanOrEqual((tolerance / 4) * scale);
        expect(Math.abs(value - exact[i]!.data[j]!)).toBeLessThanOrEqual(tolerance * scale);
      });
    });
    const furthest = Math.max(
      ...found[0]!.data.map((value: number, j: number) => Math.abs(value - exact[0]!.data[j]!)),
    );
    expect(furthest).toBeGreaterThan(tolerance / 1000);
  });

  it.each([
    [1 + 2 ** -9, 'bfloat16', 1],
    [1 + 3 * 2 ** -8, 'bfloat16', 1 + 2 ** -6],
    [-3.392e38, 'bfloat16', -3.3895313892515355e38],
    [3.4e38, 'bfloat16', Infinity],
    [Infinity, 'bfloat16', Infinity],
    [65519, 'float16', 65504],
    [65520, 'float16', Infinity],
    [2 ** -25, 'float16', 0],
  ] as const)('rounds %f to a %s as %f', (value, half, rounded) => {
    expect(roundToHalf(value, half)).toBe(rounded);
  });

  it('is refused where a device or the policy is not there', async () => {
    const build = ({ x }: Signature<{ x: TensorType }>): object => ({ y: matmul(x, x) });
    await expect(compile({ x: f(2, 2) }, build, { precision: 'float8' as 'float16' })).rejects.toMatchObject({
      code: 'invalid-input',
      at: 'precision',
      message: 'precision float8 is unknown; there are float32, float16, bfloat16',
    });
  });
});
