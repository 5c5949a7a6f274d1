import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { printProgram } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { add, exp, gelu, log, mul, reciprocal } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { softmax, sum } from '../library/reduction.ts';
import { type FloatArray, floats } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { compile, trace } from '../trace/compile.ts';
import { optimize } from './passes.ts';

const random = Random.seeded(1);

function normal(...shape: number[]): FloatArray {
  return floats(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => 0.3 * random.normal()),
  );
}

interface Layer<Leaf> {
  readonly x: Leaf;
  readonly up: Leaf;
  readonly bias: Leaf;
  readonly down: Leaf;
}

/** A feed-forward layer over [2, rows / 2, 4] whose hidden rows are 4 KiB. */
function layer(rows: number): Layer<FloatArray> {
  return { x: normal(2, rows / 2, 4), up: normal(4, 1024), bias: normal(1024), down: normal(1024, 4) };
}

function forward({ x, up, bias, down }: Layer<Tensor>, activation: (x: Tensor) => Tensor): Tensor {
  return matmul(activation(add(matmul(x, up), bias)), down);
}

function optimized(build: (inputs: Layer<Tensor>) => object, rows = 640): string {
  return printProgram(optimize(trace(layer(rows), build as never).program));
}

const aliased = (rows: number): string => `float32[${rows},1024]`;

describe('rows of 4 KiB', () => {
  it('are a cache line wider between the products that make and read them', () => {
    expect(optimized((inputs) => ({ y: forward(inputs, gelu) }))).toMatchInlineSnapshot(`
      "(x: float32[2,320,4], up: float32[4,1024], bias: float32[1024], down: float32[1024,4]) {
        %0: float32[640,4] = reshape(x) {shape: [640,4]}
        %1: float32[4,1040] = pad(up) {before: [0,0], after: [0,16]}
        %2: float32[1040] = pad(bias) {before: [0], after: [16]}
        %3: float32[640,1040] = matmulAdd(%0, %1, %2) {alpha: 1}
        %4: float32[2,320,1040] = reshape(%3) {shape: [2,320,1040]}
        %5: float32[2,320,1040] = gelu(%4)
        %6: float32[640,1040] = reshape(%5) {shape: [640,1040]}
        %7: float32[1040,4] = pad(down) {before: [0,0], after: [16,0]}
        %8: float32[640,4] = matmul(%6, %7) {alpha: 1}
        %9: float32[2,320,4] = reshape(%8) {shape: [2,320,4]}
        return %9
      }"
    `);
  });

  it('give the same results and gradients', async () => {
    const inputs = layer(640);
    const build = (symbols: Layer<Tensor>): object => {
      // exp fills the extra columns with ones, so that it matters what they are multiplied with
      const y = forward(symbols, exp);
      return { y, gradients: gradient(sum(mul(y, y)), symbols) };
    };
    const program = await compile(inputs, build as never);
    expect(program.print()).not.toContain(aliased(640));
    const found = (await program.run(inputs)) as { y: FloatArray; gradients: Layer<FloatArray> };
    const traced = trace(inputs, build as never).program;
    const expected = evaluate(traced, inputs as never);
    [found.y, ...Object.values<FloatArray>({ ...found.gradients })].forEach((array: FloatArray, i) => {
      const reference = expected[i]!;
      expect(array.shape).toEqual(reference.shape);
      const largest = Math.max(...reference.data.map(Math.abs));
      const error = array.data.reduce((most, value, j) => Math.max(most, Math.abs(value - reference.data[j]!)), 0);
      expect(error).toBeLessThan(1e-5 * largest);
    });
    await program.dispose();
  });

  it('stay where the extra columns would hold no number', () => {
    const text = optimized((inputs) => ({ y: forward(inputs, (x) => reciprocal(exp(log(x)))) }));
    expect(text).toContain(aliased(640));
    expect(text).not.toContain('pad');
  });

  it('stay where another reader needs them as they are', () => {
    const text = optimized((inputs) => ({ y: forward(inputs, softmax) }));
    expect(text).toContain(aliased(640));
    expect(text).not.toContain('pad');
  });

  it('stay where padding the weights costs more than it saves', () => {
    const text = optimized((inputs) => ({ y: forward(inputs, gelu) }), 8);
    expect(text).toContain(aliased(8));
    expect(text).not.toContain('pad');
  });

  it('stay in products that do not begin with a product', () => {
    const shape: Shape = [640, 1024];
    const { program } = trace({ x: normal(...shape), w: normal(1024, 4) }, ({ x, w }) => ({
      y: matmul(gelu(x), w),
    }));
    expect(printProgram(optimize(program))).not.toContain('pad');
  });
});
