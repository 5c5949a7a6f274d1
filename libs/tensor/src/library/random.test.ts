import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { lowerProgram } from '../lower/lower.ts';
import { ints, ndArray, type NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { optimize } from '../rewrite/passes.ts';
import { Session } from '../runtime/session.ts';
import { agreed } from '../testing/agreement.ts';
import { compile, trace } from '../trace/compile.ts';
import { full } from './creation.ts';
import { bitAnd, bitOr, mul } from './elementwise.ts';
import { sort } from './indexing.ts';
import { broadcastTo, stack } from './movement.ts';
import {
  bernoulli,
  categorical,
  constantKey,
  dropout,
  foldIn,
  normal,
  permutation,
  randomBits,
  randomIntegers,
  randomKey,
  shuffle,
  splitKey,
  truncatedNormal,
  uniform,
} from './random.ts';
import { sum } from './reduction.ts';
import { threefry } from './threefry.ts';

/** What a function makes of a key. */
async function drawn(seed: number, draw: (key: Tensor) => readonly Tensor[]): Promise<number[][]> {
  const program = await compile({ key: randomKey(seed) }, ({ key }) => draw(key));
  const results = await program.run({ key: randomKey(seed) });
  await program.dispose();
  return results.map(({ data }) => [...data]);
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
}

/** Σ (seen - expected)² / expected. */
function chiSquare(values: readonly number[], probabilities: readonly number[]): number {
  return probabilities.reduce((total, p, i) => {
    const expected = p * values.length;
    return total + (values.filter((value) => value === i).length - expected) ** 2 / expected;
  }, 0);
}

describe('the generator', () => {
  const words = (...list: number[]): NdArray => ndArray('uint32', [list.length], Uint32Array.from(list));

  // The known answers that Random123, the library of its authors, is tested with
  it.each([
    { key: [0, 0], counter: [0, 0], expected: [0x6b200159, 0x99ba4efe] },
    { key: [0xffffffff, 0xffffffff], counter: [0xffffffff, 0xffffffff], expected: [0x1cb996fc, 0xbb002be7] },
    { key: [0x13198a2e, 0x03707344], counter: [0x243f6a88, 0x85a308d3], expected: [0xc4923a9c, 0x483df7a0] },
  ])('makes of the key $key and the counter $counter what it should', async ({ key, counter, expected }) => {
    const inputs = { key: words(...key), a: words(counter[0]!), b: words(counter[1]!) };
    const { values } = await agreed(inputs, ({ key: k, a, b }) => threefry(k, a, b));
    expect(values.map(({ data }) => data[0])).toEqual(expected);
  });

  it('is that of JAX: keys, splits, folds and bits', async () => {
    // jax.random with jax_threefry_partitionable = False
    const { values } = await agreed({ zero: randomKey(0), other: randomKey(1234567) }, ({ zero, other }) => [
      stack(splitKey(zero)),
      stack(splitKey(other, 3)),
      foldIn(zero, 7),
      randomBits(zero, []),
      randomBits(zero, [5]),
      randomBits(zero, [2, 3]),
    ]);
    expect(values.map(({ data }) => [...data])).toEqual([
      [4146024105, 967050713, 2718843009, 1272950319],
      [3185548129, 74843336, 1104410726, 4050403308, 3701797084, 1541312557],
      [2716826189, 292468403],
      [1797259609],
      [2467461003, 428148500, 1688610540, 3840466878, 2562233961],
      [2467461003, 428148500, 3186719485, 3840466878, 2562233961, 1946702221],
    ]);
  });

  it('has a key for each seed, and folds in numbers that are known when the program runs', async () => {
    expect([...randomKey(2 ** 32 + 5).data]).toEqual([1, 5]);
    expect(() => randomKey(-1)).toThrow('randomKey: seed -1 is not a whole number from 0 to 2^53 - 1');
    const { values } = await agreed({ key: randomKey(0), step: ints([], [7]) }, ({ key, step }) => [
      foldIn(key, step),
      foldIn(constantKey(key.graph, 0), 7),
    ]);
    expect([...values[0]!.data]).toEqual([2716826189, 292468403]);
    expect([...values[1]!.data]).toEqual([2716826189, 292468403]);
    expect(() => trace({ key: ints([2], [0, 0]) }, ({ key }) => uniform(key, [2]))).toThrow(
      'random: int32[2] is no key, which is uint32[2]; see randomKey',
    );
  });

  it('makes the same bits where a device has no operators for them', async () => {
    const { program } = trace({ key: randomKey(42) }, ({ key }) => {
      const bits = randomBits(key, [64]);
      return [bits, bitAnd(bits, 0x0ff00ff0), bitOr(bits, 0x0ff00ff0)];
    });
    const lowered = lowerProgram(optimize(program), 'webgpu');
    const session = await Session.create(lowered.model, { threads: 1 });
    const found = (await session.run({ key: randomKey(42) }, lowered.outputs)) as NdArray[];
    await session.dispose();
    const expected = evaluate(program, { key: randomKey(42) });
    expect(found.map(({ data }) => [...data])).toEqual(expected.map(({ data }) => [...data]));
  });
});

describe('distributions', () => {
  const count = 20_000;

  it('are the same by ONNX Runtime and the reference', async () => {
    await agreed({ key: randomKey(9) }, ({ key }) => [
      uniform(key, [2, 3]),
      normal(key, [5]),
      truncatedNormal(key, [7]),
      randomIntegers(key, [5], -9, 9),
      bernoulli(key, [6]),
      categorical(key, full(key.graph, [4, 3], 0), { axis: 0 }),
      permutation(key, 9),
      dropout(full(key.graph, [7], 1), key, 0.3),
    ]);
  });

  it('uniform: evenly within its bounds', async () => {
    const [values] = (await drawn(1, (key) => [uniform(key, [count], { low: -1, high: 3 })])) as [number[]];
    const { mean, variance } = moments(values);
    expect(mean).toBeCloseTo(1, 1);
    expect(variance).toBeCloseTo(16 / 12, 1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThan(3);
    const tenths = values.map((value) => Math.floor((value + 1) * 2.5));
    expect(chiSquare(tenths, new Array<number>(10).fill(0.1))).toBeLessThan(27.9);
  });

  it('normal: the moments and tails of the bell curve, of a mean and deviation', async () => {
    const [standard, moved] = (await drawn(2, (key) => [
      normal(key, [count]),
      normal(key, [3, 5], { mean: 10, deviation: 0.1 }),
    ])) as [number[], number[]];
    const { mean, variance } = moments(standard);
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
    expect(moments(standard.map((x) => x ** 4)).mean).toBeGreaterThan(2.8);
    expect(moments(standard.map((x) => x ** 4)).mean).toBeLessThan(3.2);
    const shareBeyond = (bound: number): number => standard.filter((x) => Math.abs(x) > bound).length / count;
    expect(shareBeyond(1)).toBeCloseTo(0.3173, 1.5);
    expect(shareBeyond(2)).toBeCloseTo(0.0455, 2);
    expect(moved).toHaveLength(15);
    expect(moved.every((x) => Math.abs(x - 10) < 0.6)).toBe(true);
  });

  it('normal: to rounding what Box and Muller say of its bits', async () => {
    const [bits, values] = (await drawn(3, (key) => [randomBits(key, [1000]), normal(key, [1000])])) as [
      number[],
      number[],
    ];
    for (let i = 0; i < 500; i++) {
      const [first, second] = [bits[i]!, bits[500 + i]!];
      const radius = Math.sqrt(-2 * Math.log(((first >>> 9) + 0.5) * 2 ** -23));
      const angle = (Math.PI / 2) * (second >>> 8) * 2 ** -24;
      const sign = (bit: number): number => 1 - 2 * ((second >>> bit) & 1);
      expect(values[i]! - sign(0) * radius * Math.cos(angle)).toBeCloseTo(0, 6);
      expect(values[500 + i]! - sign(1) * radius * Math.sin(angle)).toBeCloseTo(0, 6);
    }
  });

  it('truncatedNormal: within its bounds', async () => {
    const [values] = (await drawn(4, (key) => [truncatedNormal(key, [count], { low: -1, high: 2 })])) as [number[]];
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThanOrEqual(2);
    // (φ(-1) - φ(2)) / (Φ(2) - Φ(-1))
    expect(moments(values).mean).toBeCloseTo(0.2297, 1.5);
  });

  it('randomIntegers: each alike', async () => {
    const [values] = (await drawn(5, (key) => [randomIntegers(key, [count], -3, 4)])) as [number[]];
    expect(
      chiSquare(
        values.map((x) => x + 3),
        new Array<number>(7).fill(1 / 7),
      ),
    ).toBeLessThan(22.5);
    expect(() => trace({ key: randomKey(0) }, ({ key }) => randomIntegers(key, [1], 3, 3))).toThrow(
      'randomIntegers: 3 … 3 are not whole numbers in order',
    );
  });

  it('bernoulli and categorical: with the probabilities that they are given', async () => {
    const [flips, classes] = (await drawn(6, (key) => {
      const p = key.graph.constant('float32', [2, 1], Float32Array.of(0.1, 0.8));
      const logits = key.graph.constant('float32', [3], Float32Array.of(Math.log(0.2), Math.log(0.5), Math.log(0.3)));
      return [bernoulli(key, [2, count], p), categorical(key, broadcastTo(logits, [count, 3]))];
    })) as [number[], number[]];
    expect(moments(flips.slice(0, count)).mean).toBeCloseTo(0.1, 1.7);
    expect(moments(flips.slice(count)).mean).toBeCloseTo(0.8, 1.7);
    expect(chiSquare(classes, [0.2, 0.5, 0.3])).toBeLessThan(13.8);
  });

  it('permutation and shuffle: everything once', async () => {
    const [order, other, sorted] = (await drawn(7, (key) => {
      const [first, second] = splitKey(key) as [Tensor, Tensor];
      const numbers = permutation(first, 500);
      return [numbers, permutation(second, 500), sort(shuffle(second, numbers))];
    })) as [number[], number[], number[]];
    const all = Array.from({ length: 500 }, (_, i) => i);
    expect(order.toSorted((a, b) => a - b)).toEqual(all);
    expect(sorted).toEqual(all);
    expect(order).not.toEqual(other);
    expect(order.filter((x, i) => x === i).length).toBeLessThan(8);
  });
});

describe('dropout', () => {
  it('zeros its share, scales the rest, and so does its gradient', async () => {
    const [y, by, same] = (await drawn(8, (key) => {
      const x = full(key.graph, [101, 99], 2);
      const dropped = dropout(x, key, 0.25);
      return [dropped, gradient(sum(mul(dropped, 3)), x), dropout(x, key, 0)];
    })) as [number[], number[], number[]];
    expect(moments(y.map((value) => Number(value === 0))).mean).toBeCloseTo(0.25, 1.5);
    expect(y.every((value) => value === 0 || Math.abs(value - 8 / 3) < 1e-6)).toBe(true);
    expect(by.every((value, i) => Math.abs(value - (y[i] === 0 ? 0 : 4)) < 1e-6)).toBe(true);
    expect(new Set(same)).toEqual(new Set([2]));
  });

  it('is the same in every run with one key, and another with another', async () => {
    const program = await compile({ key: randomKey(0), step: ints([], [0]) }, ({ key, step }) => ({
      y: dropout(uniform(key, [64]), foldIn(key, step), 0.5),
    }));
    const at = async (step: number) => [...(await program.run({ key: randomKey(1), step: ints([], [step]) })).y.data];
    expect(await at(3)).toEqual(await at(3));
    expect(await at(3)).not.toEqual(await at(4));
    await program.dispose();
    expect(() => trace({ key: randomKey(0) }, ({ key }) => dropout(uniform(key, [1]), key, 1))).toThrow(
      'dropout: rate 1 is not within 0 … 1',
    );
  });
});
