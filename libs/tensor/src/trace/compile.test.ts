import { describe, expect, it } from 'vitest';
import { floats, ints, itemOf, scalar } from '../nd-array.ts';
import type { Tensor } from '../ir/tensor.ts';
import { loop } from '../library/control.ts';
import { add, cast, mul, square } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { reshape, sliceAxis } from '../library/movement.ts';
import { sum } from '../library/reduction.ts';
import { gradient } from '../autodiff/gradient.ts';
import { compile, trace } from './compile.ts';

const vector = (...values: number[]) => floats([values.length], values);

describe('compile()', () => {
  it('runs a function over trees of arrays and gives back a tree of the same form', async () => {
    const program = await compile(
      { layers: [{ w: vector(0, 0) }, { w: vector(0, 0) }], x: vector(0, 0) },
      ({ layers, x }) => ({
        scaled: layers.map(({ w }) => ({ w: mul(w, x) })),
        total: sum(x),
      }),
    );
    const result = await program.run({ layers: [{ w: vector(1, 2) }, { w: vector(3, 4) }], x: vector(10, 100) });
    expect(result.scaled.map(({ w }) => [...w.data])).toEqual([
      [10, 200],
      [30, 400],
    ]);
    expect(itemOf(result.total)).toBe(110);
    await program.dispose();
  });

  it('gives back inputs, constants and one value under several names', async () => {
    const program = await compile({ x: vector(0, 0) }, ({ x }) => {
      const doubled = add(x, x);
      return { x, doubled, again: doubled, one: x.graph.scalar(1) };
    });
    const { x, doubled, again, one } = await program.run({ x: vector(1, 2) });
    expect([[...x.data], [...doubled.data], [...again.data], itemOf(one)]).toEqual([[1, 2], [2, 4], [2, 4], 1]);
    await program.dispose();
  });

  it('takes inputs of any name', async () => {
    const inputs = { v0: scalar(1), c1: scalar(2), e2: scalar(3), '#0': scalar(4), 'a.b': scalar(5) };
    const program = await compile(inputs, (given) => {
      const step = (sum: Tensor, i: Tensor): Tensor => add(sum, mul(given['#0'], cast(i, 'float32')));
      return { y: loop(3, step, add(add(given.v0, given.c1), mul(given.e2, given['a.b']))) };
    });
    expect(itemOf((await program.run(inputs)).y)).toBe(30);
    await program.dispose();
  });

  it('runs a program as it was traced where that is asked for', async () => {
    const build = ({ x }: { x: Tensor }) => ({ x: mul(mul(x, 2), 3) });
    const inputs = { x: vector(1, 2) };
    const [plain, optimized] = [await compile(inputs, build, { optimize: false }), await compile(inputs, build)];
    expect([plain.statistics.nodes, optimized.statistics.nodes]).toEqual([2, 1]);
    for (const program of [plain, optimized]) {
      expect([...(await program.run(inputs)).x.data]).toEqual([6, 12]);
      await program.dispose();
    }
  });

  it('leaves its inputs as they were', async () => {
    const program = await compile({ x: vector(0, 0) }, ({ x }) => ({ x: square(x) }));
    const x = vector(3, 4);
    const result = await program.run({ x });
    expect([[...x.data], [...result.x.data]]).toEqual([
      [3, 4],
      [9, 16],
    ]);
    await program.dispose();
  });

  it('writes results over inputs where it is told to, also where others read these', async () => {
    const inputs = {
      state: { a: vector(1, 2), b: vector(3, 4), c: vector(5, 6), d: vector(7, 8) },
      by: vector(10, 100),
    };
    const program = await compile(
      inputs,
      ({ state: { a, b, d }, by }) => {
        const outer = matmul(reshape(b, [2, 1]), reshape(by, [1, 2]));
        return {
          // b is read by a product, and for `read`; c gets another input, d itself.
          state: { a: add(mul(a, 0.5), by), b: sum(outer, { axes: 0 }), c: by, d },
          read: mul(b, 2),
          none: sliceAxis(a, 0, 1, 1),
        };
      },
      { overwrite: ['state'] },
    );
    const { a, b, c, d } = inputs.state;
    const { state, read, none } = await program.run(inputs);
    expect([state.a === a, state.b === b, state.c === c, state.d === d]).toEqual([true, true, true, true]);
    expect([a, b, c, d, read].map(({ data }) => [...data])).toEqual([
      [10.5, 101],
      [70, 700],
      [10, 100],
      [7, 8],
      [6, 8],
    ]);
    expect(none).toEqual(floats([0], []));
    const again = await program.run(inputs);
    expect([[...a.data], [...again.read.data]]).toEqual([
      [15.25, 150.5],
      [140, 1400],
    ]);
    expect([...read.data]).toEqual([6, 8]);
    await program.dispose();
  });

  it('writes results into the arrays that it is told to', async () => {
    const kept = vector(0, 0);
    const program = await compile({ x: vector(0, 0) }, ({ x }) => ({ kept: square(x), fresh: mul(x, 2) }), {
      into: { kept },
    });
    const [one, two] = [await program.run({ x: vector(1, 2) }), await program.run({ x: vector(3, 4) })];
    expect([one.kept === kept, two.kept === kept]).toEqual([true, true]);
    expect([kept, one.fresh, two.fresh].map(({ data }) => [...data])).toEqual([
      [9, 16],
      [2, 4],
      [6, 8],
    ]);
    await expect(program.run({ x: kept })).rejects.toThrow('program: x is an array that results are written into');
    await program.dispose();
  });

  it('says what cannot be written over, or into', async () => {
    const x = vector(1, 2);
    const into = { y: vector(1, 2, 3) };
    await expect(compile({ x }, (given) => ({ y: given.x }), { name: 'update', into })).rejects.toThrow(
      'update: the result y, float32[2], cannot be written into float32[3]',
    );
    const overwrite = { name: 'update', overwrite: ['state'] } as const;
    await expect(compile({ state: { x } }, (given) => ({ state: { y: given.state.x } }), overwrite)).rejects.toThrow(
      'update: the result state.y, float32[2], cannot be written over an input: there is none of the name',
    );
    await expect(compile({ state: { x } }, ({ state }) => ({ state: { x: sum(state.x) } }), overwrite)).rejects.toThrow(
      'update: the result state.x, float32[], cannot be written over float32[2]',
    );
    const program = await compile(
      { state: { x }, y: x },
      ({ state, y }) => ({ state: { x: add(state.x, y) } }),
      overwrite,
    );
    await expect(program.run({ state: { x }, y: x })).rejects.toThrow(
      'update: state.x and y are one array, which results are written over',
    );
    expect([...x.data]).toEqual([1, 2]);
    await program.dispose();
  });

  it('takes denormal numbers for zero, on every thread: they would slow each operation down', async () => {
    const size = 1 << 18;
    const program = await compile({ x: floats([size], new Float32Array(size)) }, ({ x }) => ({
      product: mul(x, 1e-10),
    }));
    const { product } = await program.run({ x: floats([size], new Float32Array(size).fill(1e-30)) });
    expect(product.data.every((value) => value === 0)).toBe(true);
    await program.dispose();
  });

  it('says which input is missing, too many, or of another shape or dtype', async () => {
    const program = await compile({ a: vector(0, 0), b: scalar(0) }, ({ a, b }) => ({ y: mul(a, b) }), {
      name: 'scaling',
    });
    const run = (inputs: object): Promise<unknown> => program.run(inputs as never);
    await expect(run({ a: vector(1, 2) })).rejects.toThrow('scaling: b is missing; found nothing');
    await expect(run({ a: vector(1, 2, 3), b: scalar(1) })).rejects.toThrow(
      'scaling: a is float32[3], compiled for float32[2]',
    );
    await expect(run({ a: ints([2], [1, 2]), b: scalar(1) })).rejects.toThrow(
      'scaling: a is int32[2], compiled for float32[2]',
    );
    await expect(run({ a: vector(1, 2), b: scalar(1), c: scalar(1) })).rejects.toThrow('scaling: c is not an input');
    await program.dispose();
  });

  it('finds shape errors while tracing, before anything is compiled', () => {
    const x = { shape: [2, 3], dtype: 'float32' } as const;
    expect(() => trace({ x }, (inputs) => ({ y: matmul(inputs.x, inputs.x) }))).toThrow(
      'matmul: [2, 3] and [2, 3] do not fit',
    );
    expect(() => trace({ x }, (inputs) => ({ y: gradient(inputs.x, inputs) }))).toThrow(
      'gradient: the loss is float32[2, 3], not one float32 number',
    );
    expect(() => trace({ x }, () => ({}))).toThrow('program: the function returns no tensor');
  });
});
