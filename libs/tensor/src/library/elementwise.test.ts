import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { floats, ints, ndArray } from '../nd-array.ts';
import { compile, trace } from '../trace/compile.ts';
import {
  add,
  cast,
  clamp,
  elu,
  expm1,
  floorDivide,
  greater,
  greaterOrEqual,
  isFinite,
  isInfinite,
  isNaN,
  log1p,
  logSigmoid,
  mod,
  mul,
  notEqual,
  relu,
  softplus,
  xor,
} from './elementwise.ts';
import { mean, sum } from './reduction.ts';

/** What ONNX Runtime makes of functions of one list of numbers. */
async function applied(values: readonly number[], build: (x: Tensor) => readonly Tensor[]): Promise<number[][]> {
  const x = floats([values.length], values);
  const program = await compile({ x }, (inputs) => build(inputs.x));
  const results = await program.run({ x });
  await program.dispose();
  return results.map(({ data }) => [...data]);
}

describe('elementwise functions', () => {
  it('tell numbers from NaN and infinities', async () => {
    const found = await applied([1, NaN, Infinity, -Infinity, -3.4028234663852886e38], (x) => [
      isNaN(x),
      isFinite(x),
      isInfinite(x),
      notEqual(x, x),
    ]);
    expect(found).toEqual([
      [0, 1, 0, 0, 0],
      [1, 0, 0, 0, 1],
      [0, 0, 1, 1, 0],
      [0, 1, 0, 0, 0],
    ]);
  });

  it('compare and combine bools', async () => {
    const found = await applied([1, 2, 3], (x) => [
      greater(x, 2),
      greaterOrEqual(x, 2),
      xor(greater(x, 1), greater(x, 2)),
    ]);
    expect(found).toEqual([
      [0, 0, 1],
      [0, 1, 1],
      [0, 1, 0],
    ]);
  });

  it('are exact near 0 and finite or infinite where they should be', async () => {
    const relative = (found: readonly number[], values: readonly number[], exact: (x: number) => number): void =>
      found.forEach((y, i) => expect(y / exact(Math.fround(values[i]!))).toBeCloseTo(1, 6));
    const small = [1e-10, -3e-8, 1e-4, -0.3, 0.7, -20, 80];
    const [exponentials, logs] = await applied(small, (x) => [expm1(x), log1p(x)]);
    relative(exponentials!, small, Math.expm1);
    relative(logs!.slice(0, 5), small, Math.log1p);
    expect(await applied([0, -1, Infinity, 3e38], (x) => [log1p(x)])).toEqual([
      [0, -Infinity, Infinity, Math.fround(Math.log(3e38))],
    ]);
    expect(await applied([0, -Infinity, Infinity, 100], (x) => [expm1(x)])).toEqual([[0, -1, Infinity, Infinity]]);
    const [plus, logistic, linear] = await applied([-100, 0, 100], (x) => [
      softplus(x),
      logSigmoid(x),
      elu(mul(x, 10)),
    ]);
    expect(plus!.map((y) => Math.round(y * 1e4) / 1e4)).toEqual([0, 0.6931, 100]);
    expect(logistic!.map((y) => Math.round(y * 1e4) / 1e4)).toEqual([-100, -0.6931, -0]);
    expect(linear).toEqual([-1, 0, 1000]);
  });

  it('have gradients that stay finite where the other side of a choice does not', async () => {
    const [by] = await applied([-1000, -1, 1, 1000], (x) => [gradient(sum(elu(x)), x)]);
    expect(by!.map((y) => Math.round(y * 1e4) / 1e4)).toEqual([0, 0.3679, 1, 1]);
    // At a bound half goes each way; relu takes nothing at 0
    const [clamped, rectified] = await applied([-2, -1, 0, 1], (x) => [
      gradient(sum(clamp(x, -1, 0)), x),
      gradient(sum(relu(x)), x),
    ]);
    expect([clamped, rectified]).toEqual([
      [0, 0.5, 0.5, 0],
      [0, 0, 0, 1],
    ]);
  });

  it('divide integers as Python does, by mod and floorDivide', async () => {
    const x = ints([4], [7, -7, 7, -7]);
    const y = ints([4], [2, 2, -2, -2]);
    const program = await compile({ x, y }, (inputs) => [mod(inputs.x, inputs.y), floorDivide(inputs.x, inputs.y)]);
    expect((await program.run({ x, y })).map(({ data }) => [...data])).toEqual([
      [1, 1, -1, -1],
      [3, -4, -4, 3],
    ]);
    const zero = ints([4], [1, 0, 1, 1]);
    await expect(program.run({ x, y: zero })).rejects.toThrow('by zero');
    await program.dispose();
  });

  it('keep every bit of uint32, and say which numbers are none', async () => {
    const bits = ndArray('uint32', [3], Uint32Array.of(1, 2 ** 31, 2 ** 32 - 1));
    const program = await compile({ bits }, (inputs) => [cast(inputs.bits, 'float32'), cast(inputs.bits, 'int32')]);
    expect((await program.run({ bits })).map(({ data }) => [...data])).toEqual([
      [1, 2 ** 31, 2 ** 32],
      [1, -(2 ** 31), -1],
    ]);
    await program.dispose();
    expect(() => trace({ i: ints([2], [1, 2]) }, ({ i }) => [add(i, 0.5)])).toThrow('0.5 is no int32');
    expect(() => trace({ i: ints([2], [1, 2]) }, ({ i }) => [mean(i)])).toThrow('0.5 is no int32');
  });
});
