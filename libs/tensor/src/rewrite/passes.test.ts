import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { printProgram } from '../ir/print.ts';
import type { TensorType } from '../ir/tensor.ts';
import { add, div, mul, neg, sub } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { concat, reshape, split, transpose } from '../library/movement.ts';
import { logProbability } from '../library/neural.ts';
import { softmax, sum } from '../library/reduction.ts';
import { type Signature, trace } from '../trace/compile.ts';
import { optimize } from './passes.ts';

const f = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });
const i = (...shape: number[]): TensorType => ({ shape, dtype: 'int32' });

function optimized<I>(signature: I, build: (inputs: Signature<I>) => object): string {
  return printProgram(optimize(trace(signature, build).program));
}

describe('the passes', () => {
  it('remove neutral elements, double movements and work on constants', () => {
    const text = optimized({ x: f(2, 3) }, ({ x }) => {
      const moved = transpose(transpose(reshape(reshape(x, [3, 2]), [2, 3])));
      return { y: add(mul(moved, mul(x.graph.scalar(2), 0.5)), 0) };
    });
    expect(text).toMatchInlineSnapshot(`
      "(x: float32[2,3]) {
        return x
      }"
    `);
  });

  it('come to rest on numbers that are made of numbers', () => {
    const text = optimized({ x: f(2) }, ({ x }) => {
      const number = x.graph.node('broadcast', [x.graph.scalar(1.5)], { shape: [] });
      return { y: mul(neg(number), 1), z: x };
    });
    expect(text).toContain('return -1.5, x');
  });

  it('turn signs and divisions by constants into one factor', () => {
    expect(optimized({ x: f(3), y: f(3) }, ({ x, y }) => ({ z: sub(div(mul(x, 3), 2), neg(neg(y))) })))
      .toMatchInlineSnapshot(`
      "(x: float32[3], y: float32[3]) {
        %0: float32[3] = mul(x, 1.5)
        %1: float32[3] = sub(%0, y)
        return %1
      }"
    `);
  });

  it('make scalings, transpositions and biases part of a matrix product', () => {
    const text = optimized({ x: f(4, 3), w: f(5, 3), b: f(5) }, ({ x, w, b }) => {
      return { y: add(mul(matmul(mul(x, 2), transpose(w)), 0.25), b) };
    });
    expect(text).toMatchInlineSnapshot(`
      "(x: float32[4,3], w: float32[5,3], b: float32[5]) {
        %0: float32[4,5] = matmulAdd(x, w, b) {transposeB, alpha: 0.5}
        return %0
      }"
    `);
  });

  it('join the gradients of a split into a concatenation', () => {
    const text = optimized({ x: f(2, 6), a: f(2, 2), b: f(2, 4) }, ({ x, a, b }) => {
      const [left, right] = split(x, [2, 4], 1);
      return { dx: gradient(add(sum(mul(left!, a)), sum(mul(right!, b))), x) };
    });
    expect(text).toMatchInlineSnapshot(`
      "(x: float32[2,6], a: float32[2,2], b: float32[2,4]) {
        %0: float32[2,6] = concat(a, b) {axis: 1}
        return %0
      }"
    `);
    // Parts that overlap or leave a gap stay a sum
    const gap = optimized({ x: f(2, 6), a: f(2, 2) }, ({ x, a }) => {
      const [left, , right] = split(x, [2, 2, 2], 1);
      return { dx: gradient(add(sum(mul(left!, a)), sum(mul(right!, a))), x) };
    });
    expect(gap).toContain('pad');
  });

  it("bring a weighted cross-entropy's weights from [rows, vocabulary] to [rows, width]", () => {
    const text = optimized({ h: f(4, 3), e: f(7, 3), t: i(4), w: f(4) }, ({ h, e, t, w }) => {
      const loss = neg(sum(mul(logProbability(matmul(h, e, { transposeB: true }), t), w)));
      return { loss, ...gradient(loss, { h, e }) };
    });
    expect(text).toMatchInlineSnapshot(`
      "(h: float32[4,3], e: float32[7,3], t: int32[4], w: float32[4]) {
        %0: float32[4,7] = matmul(h, e) {transposeB, alpha: 1}
        %1: int32[4,1] = reshape(t) {shape: [4,1]}
        %2: float32[4,1] = takeAlong(%0, %1) {axis: 1}
        %3: float32[4,1] = max(%0) {axes: [1], keepDims}
        %4: float32[4,7] = softmax(%0)
        %5: float32[4,1] = max(%4) {axes: [1], keepDims}
        %6: float32[4,1] = log(%5)
        %7: float32[4,1] = sub(%3, %6)
        %8: float32[4,1] = sub(%2, %7)
        %9: float32[4] = reshape(%8) {shape: [4]}
        %10: float32[4] = mul(%9, w)
        %11: float32[] = sum(%10) {axes: [0]}
        %12: float32[] = mul(%11, -1)
        %13: float32[4,1] = broadcast(-1) {shape: [4,1]}
        %14: float32[4,7] = scatterAlong(%4, %1, %13) {axis: 1}
        %15: float32[4,3] = matmul(%14, e) {alpha: 1}
        %16: float32[4,1] = reshape(w) {shape: [4,1]}
        %17: float32[4,3] = mul(%15, %16)
        %18: float32[4,3] = mul(h, %16)
        %19: float32[7,3] = matmul(%14, %18) {transposeA, alpha: 1}
        return %12, %17, %19
      }"
    `);
  });

  it('let the gradient of attention multiply [time, size] instead of [time, time]', () => {
    const text = optimized({ s: f(2, 8, 8), v: f(2, 8, 3), w: f(2, 8, 3) }, ({ s, v, w }) => {
      return { ds: gradient(sum(mul(matmul(softmax(s), v), w)), s) };
    });
    expect(text).toMatchInlineSnapshot(`
      "(s: float32[2,8,8], v: float32[2,8,3], w: float32[2,8,3]) {
        %0: float32[2,8,8] = softmax(s)
        %1: float32[2,8,8] = matmul(w, v) {transposeB, alpha: 1}
        %2: float32[2,8,3] = matmul(%0, v) {alpha: 1}
        %3: float32[2,8,3] = mul(w, %2)
        %4: float32[2,8,1] = sum(%3) {axes: [2], keepDims}
        %5: float32[2,8,8] = sub(%1, %4)
        %6: float32[2,8,8] = mul(%0, %5)
        return %6
      }"
    `);
  });

  it('let the kernel of a product with few rows read the larger operand as it is', () => {
    const program = (rows: number): string =>
      optimized({ a: f(32, rows), b: f(32, 128) }, ({ a, b }) => ({ y: matmul(a, b, { transposeA: true }) }));
    expect(program(4)).toMatchInlineSnapshot(`
      "(a: float32[32,4], b: float32[32,128]) {
        %0: float32[128,4] = matmul(b, a) {transposeA, alpha: 1}
        %1: float32[4,128] = transpose(%0) {permutation: [1,0]}
        return %1
      }"
    `);
    for (const rows of [1, 17, 32]) expect(program(rows)).not.toContain('transpose(');
  });

  it('leave a program alone that cannot be improved', () => {
    const text = optimized({ x: f(2), y: f(3) }, ({ x, y }) => ({ z: concat([x, y], 0) }));
    expect(text).toMatchInlineSnapshot(`
      "(x: float32[2], y: float32[3]) {
        %0: float32[5] = concat(x, y) {axis: 0}
        return %0
      }"
    `);
  });
});
