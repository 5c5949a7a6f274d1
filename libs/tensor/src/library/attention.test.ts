import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { type FloatArray, floats, ints, type NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { compile, trace } from '../trace/compile.ts';
import { cachedAttention, cacheMask, causalAttention, causalMask, maskedScore } from './attention.ts';
import { add, mul } from './elementwise.ts';
import { sum } from './reduction.ts';

const [batch, heads, groups, size] = [2, 4, 2, 3];

function normal(shape: Shape, seed: number): FloatArray {
  const random = Random.seeded(seed);
  return floats(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

function inputs(time: number): Record<'q' | 'k' | 'v', FloatArray> {
  return {
    q: normal([batch, heads, time, size], 1),
    k: normal([batch, groups, time, size], 2),
    v: normal([batch, groups, time, size], 3),
  };
}

/** The definition, one query at a time; `sees` says which earlier keys a query may look at. */
function attended({ q, k, v }: ReturnType<typeof inputs>, sees: (i: number, j: number) => boolean): number[] {
  const time = q.shape[2]!;
  const result: number[] = [];
  for (let row = 0; row < batch * heads; row++) {
    const group = Math.floor(row / heads) * groups + Math.floor((row % heads) / (heads / groups));
    for (let i = 0; i < time; i++) {
      const at = (array: FloatArray, matrix: number, t: number): Float32Array =>
        array.data.subarray((matrix * time + t) * size, (matrix * time + t + 1) * size);
      const seen = Array.from({ length: i + 1 }, (_, j) => j).filter((j) => sees(i, j));
      const weights = seen.map((j) =>
        Math.exp(at(q, row, i).reduce((dot, x, c) => dot + x * at(k, group, j)[c]!, 0) / Math.sqrt(size)),
      );
      const total = weights.reduce((a, b) => a + b, 0);
      for (let c = 0; c < size; c++) {
        result.push(seen.reduce((mixed, j, n) => mixed + (weights[n]! / total) * at(v, group, j)[c]!, 0));
      }
    }
  }
  return result;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  Array.from(expected).forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
}

describe('causal attention', () => {
  it.each([
    { time: 1, block: 2 },
    { time: 4, block: 2 },
    { time: 7, block: 3 },
    { time: 5, block: 128 },
  ])('over $time positions in blocks of $block is what its definition says', async ({ time, block }) => {
    const given = inputs(time);
    const program = await compile(given, ({ q, k, v }) => ({
      y: causalAttention(q, k, v, causalMask(q.graph, time), { block }),
    }));
    expectClose(
      (await program.run(given)).y.data,
      attended(given, () => true),
    );
    await program.dispose();
  });

  it('hides what the mask hides besides', async () => {
    const given = inputs(6);
    const separate = (i: number, j: number): boolean => i < 4 === j < 4;
    const segments = floats(
      [6, 6],
      Array.from({ length: 36 }, (_, n) => (separate(Math.floor(n / 6), n % 6) ? 0 : maskedScore)),
    );
    const program = await compile({ ...given, segments }, ({ q, k, v, segments: hidden }) => ({
      y: causalAttention(q, k, v, add(causalMask(q.graph, 6), hidden), { block: 4 }),
    }));
    expectClose((await program.run({ ...given, segments })).y.data, attended(given, separate));
    await program.dispose();
  });

  it('has the same gradients whatever the block', () => {
    const given = inputs(7);
    const gradientsWith = (block: number): ArrayLike<number>[] => {
      const { program } = trace(given, ({ q, k, v }) => {
        const y = causalAttention(q, k, v, causalMask(q.graph, 7), { block });
        const weights = y.graph.constant('float32', y.shape, normal(y.shape, 4).data);
        return gradient(sum(mul(y, weights)), { q, k, v });
      });
      return evaluate(program, given as Record<string, NdArray>).map(({ data }) => data);
    };
    const whole = gradientsWith(7);
    for (const block of [2, 3]) gradientsWith(block).forEach((found, i) => expectClose(found, whole[i]!));
    expect(Math.max(...Array.from(whole[0]!, Math.abs))).toBeGreaterThan(0.1);
  });

  it('makes no scores beyond the end of a block', () => {
    const { program } = trace(inputs(8), ({ q, k, v }) => ({
      y: causalAttention(q, k, v, causalMask(q.graph, 8), { block: 2 }),
    }));
    const shapes: Shape[] = [];
    const walk = (tensor: Tensor): void => {
      if (tensor.primitive === 'softmax') shapes.push(tensor.shape);
      tensor.inputs.forEach(walk);
    };
    program.outputs.forEach(walk);
    expect(shapes.map((shape) => shape.slice(2))).toEqual([
      [2, 2],
      [2, 4],
      [2, 6],
      [2, 8],
    ]);
  });
});

describe('attention over a cache', () => {
  /** What is cached beyond the filled positions: it must not be looked at. */
  const garbage = 1e4;
  const time = 6;
  const given = inputs(time);
  /** Position of the new token of each row. */
  const lengths = [0, 4];

  /** The parts of x [b, n, t, d] at one position of each row, as [b, 1, n · d]. */
  function at(x: FloatArray, positions: readonly number[]): FloatArray {
    const count = x.shape[1]!;
    const parts = positions.flatMap((position, row) =>
      Array.from({ length: count * size }, (_, i) => {
        const head = row * count + Math.floor(i / size);
        return x.data[(head * time + position) * size + (i % size)]!;
      }),
    );
    return floats([positions.length, 1, count * size], parts);
  }

  function filled(x: FloatArray): FloatArray {
    const data = x.data.map((value, i) => {
      const row = Math.floor(i / (groups * time * size));
      return Math.floor(i / size) % time < lengths[row]! ? value : garbage;
    });
    return floats(x.shape, data);
  }

  it('is what the last of the queries so far attends to, and sees nothing of what is not filled', async () => {
    const cache = { keys: filled(given.k), values: filled(given.v), lengths: ints([batch], lengths) };
    const now = { query: at(given.q, lengths), key: at(given.k, lengths), value: at(given.v, lengths) };
    const program = await compile(
      { ...now, cache },
      ({ query, key, value, cache: { keys, values, lengths: filledTo } }) => ({
        y: cachedAttention(query, key, value, { keys, values, mask: cacheMask(filledTo, time) }),
      }),
    );
    const whole = floats(
      given.q.shape,
      attended(given, () => true),
    );
    expectClose((await program.run({ ...now, cache })).y.data, at(whole, lengths).data);
    await program.dispose();
  });

  it('refuses a query that does not divide over the cache', () => {
    const cache = { keys: given.k, values: given.v, mask: normal([batch, 1, 1, time], 3) };
    const types = { query: normal([batch, 1, 9], 1), key: normal([batch, 1, 6], 2), cache };
    expect(() => trace(types, (x) => ({ y: cachedAttention(x.query, x.key, x.key, x.cache) }))).toThrow(
      'cachedAttention: a query of 9 does not divide over 2 key-value heads of 3',
    );
  });
});
