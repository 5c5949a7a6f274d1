import { expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { add, exp, mul, tanh } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { reshape } from '../library/movement.ts';
import { sum } from '../library/reduction.ts';
import { trace } from '../trace/compile.ts';
import { estimateMemory } from './estimate-memory.ts';

const floats = (...shape: number[]) => ({ shape, dtype: 'float32' }) as const;
const of = <I>(signature: I, build: Parameters<typeof trace<I, unknown>>[1]) =>
  estimateMemory(trace(signature, build).program);

it('counts inputs, results and what lies between at one time', () => {
  // [10, 20] · [20, 30] and then [10, 30] · [30, 5]: the first product is there while the second is made.
  const chain = of({ a: floats(10, 20), b: floats(20, 30), c: floats(30, 5) }, ({ a, b, c }) => ({
    y: matmul(matmul(a, b), c),
  }));
  expect(chain).toEqual({
    inputs: 4 * (10 * 20 + 20 * 30 + 30 * 5),
    constants: 0,
    between: 4 * (10 * 30 + 10 * 5),
    results: 4 * 10 * 5,
    held: 0,
  });
});

it('reuses what nothing reads any more, and takes nothing for another view', () => {
  const size = 4 * 1000;
  const one = of({ x: floats(1000) }, ({ x }) => ({ y: exp(tanh(reshape(exp(x), [10, 100]))) }));
  expect(one.between).toBe(size);
  const kept = of({ x: floats(1000) }, ({ x }) => {
    const first = exp(x);
    return { y: mul(exp(tanh(first)), first) };
  });
  expect(kept.between).toBe(2 * size);
});

it('keeps activations until the gradient has read them', () => {
  const layers = (count: number) =>
    of({ x: floats(1000), w: floats(1000) }, ({ x, w }) => {
      let hidden: Tensor = x;
      for (let i = 0; i < count; i++) hidden = tanh(mul(hidden, w));
      return { by: gradient(sum(hidden), w) };
    });
  const growth = (layers(20).between - layers(10).between) / 10;
  expect(growth).toBeGreaterThanOrEqual(4000);
  expect(growth).toBeLessThanOrEqual(3 * 4000);
});

it('counts results apart that have arrays already', () => {
  const signature = { x: floats(1000), sums: floats(1000) };
  const { program } = trace(signature, ({ x, sums }) => ({ y: exp(x), z: tanh(x), sums: add(sums, mul(x, 2)) }));
  const size = 4 * 1000;
  expect(estimateMemory(program)).toMatchObject({ between: 3 * size, results: 3 * size, held: 0 });
  expect(estimateMemory(program, { held: new Set([1]), direct: [2] })).toMatchObject({
    between: 2 * size,
    results: size,
    held: size,
  });
});

it('counts constants apart', () => {
  const { constants } = of({ x: floats(8) }, ({ x }) => ({
    y: add(x, x.graph.constant('float32', [8], new Float32Array(8))),
  }));
  expect(constants).toBe(32);
});
