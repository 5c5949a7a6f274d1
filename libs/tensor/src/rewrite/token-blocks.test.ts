import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import { topologicalOrder } from '../ir/graph.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { add, exp, mul, square } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { likeliestToken, logProbability, tokenLogProbability } from '../library/neural.ts';
import { argMax, sum } from '../library/reduction.ts';
import { floats, ints, type NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';
import { runOnOnnx } from '../testing/primitive-cases.ts';
import { trace } from '../trace/compile.ts';
import { optimize } from './passes.ts';

const [tokens, width, vocabulary, rows] = [11, 6, 50, 4];
const random = Random.seeded(1);
const normal = (...shape: number[]): NdArray =>
  floats(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );
const inputs = {
  hidden: normal(tokens, width),
  weight: normal(vocabulary, width),
  dy: normal(tokens),
  targets: ints(
    [tokens],
    Int32Array.from({ length: tokens }, () => random.integer(0, vocabulary - 1)),
  ),
};
type Symbols = Record<keyof typeof inputs, Tensor>;

/** By plain operations on all logits at once. */
const plainly = ({ hidden, weight, targets }: Symbols): Tensor =>
  logProbability(matmul(hidden, weight, { transposeB: true }), targets);
const inBlocks = ({ hidden, weight, targets }: Symbols): Tensor =>
  tokenLogProbability(hidden, weight, targets, { rows });

const losses = {
  'of a weighted sum, made from the same logits': (logs: Tensor, { dy }: Symbols): Tensor => sum(mul(logs, dy)),
  'of something else, for which the logits are made again': (logs: Tensor, { dy }: Symbols): Tensor =>
    add(square(sum(logs)), sum(mul(exp(logs), dy))),
};

function traced(by: (symbols: Symbols) => Tensor, lossOf: (logs: Tensor, symbols: Symbols) => Tensor) {
  return trace(inputs, (symbols: Symbols) => {
    const loss = lossOf(by(symbols), symbols);
    return { loss, by: gradient(loss, { hidden: symbols.hidden, weight: symbols.weight }) };
  }).program;
}

/** The logits of blocks, in the order in which they must be made. */
function logitsOf(tensors: readonly Tensor[]): Tensor[] {
  return tensors.filter((tensor) => isPrimitive(tensor, 'matmul') && tensor.shape[1] === vocabulary);
}

describe('the head of a language model in blocks', () => {
  it.each(Object.entries(losses))('gives the loss and the gradient %s', async (_what, lossOf) => {
    const expected = evaluate(traced(plainly, lossOf), inputs);
    const results = await runOnOnnx(optimize(traced(inBlocks, lossOf)), inputs);
    results.forEach(({ data }, i) => {
      const scale = Math.max(...Array.from(expected[i]!.data, Math.abs));
      expected[i]!.data.forEach((value, j) => expect(Math.abs(data[j]! - value)).toBeLessThan(1e-5 * scale));
    });
  });

  it('never holds all logits, and makes those of a block once, behind the gradients of the one before', () => {
    const order = topologicalOrder(
      optimize(traced(inBlocks, losses['of a weighted sum, made from the same logits'])).outputs,
    );
    const logits = logitsOf(order);
    expect(logits.map(({ shape }) => shape)).toEqual([
      [4, 50],
      [4, 50],
      [3, 50],
    ]);
    expect(order.filter(({ shape }) => shape[0]! * shape[1]! > rows * vocabulary && shape[1] === vocabulary)).toEqual(
      [],
    );
    for (const [i, block] of logits.slice(1).entries()) {
      const before = topologicalOrder([block]);
      expect(logitsOf(before)).toEqual(logits.slice(0, i + 2));
      // What both gradients of the block before are made of: its softmax times the weight, and times its rows
      const products = before.filter((tensor) => tensor.inputs[0] && isPrimitive(tensor.inputs[0], 'softmax'));
      expect(products.filter(({ primitive }) => primitive.startsWith('matmul'))).toHaveLength(2 * (i + 1));
    }
  });

  it('makes the logits of a block twice where the gradient waits for the losses of all', () => {
    const lossOf = losses['of something else, for which the logits are made again'];
    expect(logitsOf(topologicalOrder(optimize(traced(inBlocks, lossOf)).outputs))).toHaveLength(6);
  });

  it('makes few logits at once, and once, whatever the loss', () => {
    const atOnce = (symbols: Symbols): Tensor => tokenLogProbability(symbols.hidden, symbols.weight, symbols.targets);
    for (const lossOf of Object.values(losses)) {
      const order = topologicalOrder(optimize(traced(atOnce, lossOf)).outputs);
      expect(logitsOf(order).map(({ shape }) => shape)).toEqual([[tokens, vocabulary]]);
      expect(order.filter((tensor) => isPrimitive(tensor, 'barrier'))).toEqual([]);
    }
  });

  it('shares the logits with the likeliest tokens', async () => {
    const build = (symbols: Symbols) => ({
      logs: inBlocks(symbols),
      best: likeliestToken(symbols.hidden, symbols.weight, { rows }),
    });
    const { program } = trace(inputs, build as never);
    const optimized = optimize(program);
    expect(logitsOf(topologicalOrder(optimized.outputs))).toHaveLength(3);
    const plain = trace(inputs, ({ hidden, weight }: Symbols) => ({
      best: argMax(matmul(hidden, weight, { transposeB: true })),
    }));
    const [, best] = await runOnOnnx(optimized, inputs);
    expect([...best!.data]).toEqual([...evaluate(plain.program, inputs)[0]!.data]);
  });

  it('chooses blocks of 64 MiB for a large vocabulary, of multiples of 16 rows', () => {
    const types = (count: number, size: number) => ({
      hidden: { shape: [2, count / 2, 8], dtype: 'float32' },
      weight: { shape: [size, 8], dtype: 'float32' },
      targets: { shape: [2, count / 2], dtype: 'int32' },
    });
    const rowsFor = (count: number, size: number): unknown => {
      const { program } = trace(types(count, size), ((symbols: Symbols) => ({
        y: tokenLogProbability(symbols.hidden, symbols.weight, symbols.targets),
      })) as never);
      const node = topologicalOrder(program.outputs).find((tensor) => isPrimitive(tensor, 'tokenLogProbability'));
      return (node!.params as { rows: number }).rows;
    };
    expect(rowsFor(2048, 4096)).toBe(2048);
    expect(rowsFor(512, 49_152)).toBe(256);
    expect(rowsFor(2048, 49_152)).toBe(352);
    expect(rowsFor(65_536, 151_936)).toBe(1024);
  });

  it('says what does not fit', () => {
    const failing = (change: object) => () =>
      trace({ ...inputs, ...change }, (symbols: Symbols) => ({ y: inBlocks(symbols) }));
    expect(failing({ weight: normal(5, 7) })).toThrow(
      'tokenLogProbability: hidden [11, 6] and weight [5, 7] are not [n, d] and [v, d]',
    );
    expect(failing({ targets: ints([3], [0, 1, 2]) })).toThrow('tokenLogProbability: targets');
    expect(() =>
      trace(inputs, ({ hidden, weight, targets }: Symbols) => ({
        y: tokenLogProbability(hidden, weight, targets, { rows: 0 }),
      })),
    ).toThrow('rows: 0 is no number of rows of logits');
  });
});
