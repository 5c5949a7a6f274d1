import '@crucible/testing';
import {
  compile,
  type FloatArray,
  flatten,
  gradient,
  type IntArray,
  ints,
  isNdArray,
  itemOf,
  logProbability,
  mean,
  mul,
  type NdArray,
  reshape,
  sliceAxis,
} from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { decode, type DecoderInput, hiddenRows, languageLogits, scalarScores } from './llama.ts';
import { type LanguageFixture, readLanguageFixture, readScalarFixture } from './testing/llama-fixture.ts';

const table = (rows: readonly (readonly number[])[]): IntArray => ints([rows.length, rows[0]!.length], rows.flat());

/** The logits of every token, row by row and token by token. */
async function logitsOf(
  { config, weights }: LanguageFixture,
  input: { readonly [K in keyof DecoderInput]: IntArray },
): Promise<number[][][]> {
  const program = await compile({ weights, input }, (given) => ({
    logits: languageLogits(given.weights, decode(given.weights.model, config, given.input).hidden),
  }));
  const { logits } = await program.run({ weights, input });
  await program.dispose();
  return nested(logits as FloatArray) as number[][][];
}

type Nested = number | Nested[];

function nested({ shape, data }: FloatArray): Nested {
  const build = (axis: number, start: number, length: number): Nested => {
    if (axis === shape.length) return data[start]!;
    const step = length / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, start + i * step, step));
  };
  return build(0, 0, data.length);
}

describe.each(['tied', 'untied'] as const)(
  'a language model with a head %s to the embeddings, written by transformers',
  (name) => {
    const fixture = readLanguageFixture(name);
    const { config, weights, expected } = fixture;

    it('gives the logits of transformers', async () => {
      expect(await logitsOf(fixture, { ids: table(expected.ids) })).toBeAllClose(expected.logits, {
        atol: 2e-5,
        rtol: 1e-5,
      });
    });

    it('gives its loss and its gradients', async () => {
      const ids = table(expected.ids);
      const time = ids.shape[1]!;
      const program = await compile({ weights, ids }, (given) => {
        const { hidden } = decode(given.weights.model, config, given);
        const logits = languageLogits(given.weights, sliceAxis(hidden, 1, 0, time - 1));
        const loss = mul(mean(logProbability(logits, sliceAxis(given.ids, 1, 1, time))), -1);
        return { loss, gradients: gradient(loss, given.weights) };
      });
      const { loss, gradients } = await program.run({ weights, ids });
      await program.dispose();
      expect(itemOf(loss)).toBeAllClose(expected.loss, { rtol: 1e-5 });
      const parameters = new Map(flatten(weights, isNdArray).map(({ path, leaf }) => [path, leaf.data]));
      const found = flatten<NdArray>(gradients, isNdArray).map(({ path, leaf: { data } }) => {
        const values = [...(data as Float32Array)];
        const product = values.reduce((sum, value, i) => sum + value * parameters.get(path)![i]!, 0);
        return [path, [Math.hypot(...values), product]] as const;
      });
      expect(found.map(([path]) => path).sort()).toEqual(Object.keys(expected.gradients).sort());
      for (const [path, norms] of found) {
        expect(norms, path).toBeAllClose(expected.gradients[path]!, { atol: 1e-5, rtol: 1e-4 });
      }
    });

    it('rotates by the positions that it is given', async () => {
      const input = { ids: table([expected.ids[0]!]), positions: table(expected.positions) };
      const [logits] = await logitsOf(fixture, input);
      expect(logits).toBeAllClose(expected.at_positions, { atol: 2e-5, rtol: 1e-5 });
      expect(logits).not.toBeAllClose(expected.logits[0]!, { atol: 1e-2 });
    });

    it('counts positions from 0 by default', async () => {
      const positions = table(expected.ids.map((row) => row.map((_id, t) => t)));
      const ids = table(expected.ids);
      expect(await logitsOf(fixture, { ids, positions })).toEqual(await logitsOf(fixture, { ids }));
    });

    it('gives each of several sequences in one row what transformers gives it alone', async () => {
      const { sequences, alone } = expected;
      // Two tokens of padding at the end, and the same sequences in the other order in a second row.
      const orders = [sequences, sequences.toReversed()];
      const packed = {
        ids: table(orders.map((order) => [...order.flat(), 0, 0])),
        positions: table(orders.map((order) => [...order.flatMap((sequence) => sequence.map((_id, t) => t)), 0, 0])),
        segments: table(orders.map((order) => [...order.flatMap((sequence, i) => sequence.map(() => i + 1)), 0, 0])),
      };
      const logits = await logitsOf(fixture, packed);
      const real = sequences.flat().length;
      expect(logits[0]!.slice(0, real)).toBeAllClose(alone.flat(), { atol: 2e-5, rtol: 1e-5 });
      expect(logits[1]!.slice(0, real)).toBeAllClose(alone.toReversed().flat(), { atol: 2e-5, rtol: 1e-5 });
    });

    it('lets no token look at a later one or at another row', async () => {
      const [first, second] = expected.ids as [number[], number[]];
      const changed = first.map((id, t) => (t < 6 ? id : 3 + ((id + 1) % 40)));
      const before = await logitsOf(fixture, { ids: table([first, second]) });
      const after = await logitsOf(fixture, { ids: table([changed, second]) });
      expect(after[0]!.slice(0, 6)).toBeAllClose(before[0]!.slice(0, 6), { atol: 1e-6 });
      expect(after[1]).toBeAllClose(before[1]!, { atol: 1e-6 });
      expect(after[0]![6]).not.toBeAllClose(before[0]![6]!, { atol: 1e-2 });
    });
  },
);

describe('a scalar model written by transformers', () => {
  const { config, weights, expected } = readScalarFixture();
  const ids = table(expected.ids);
  const [batch, time] = ids.shape as [number, number];

  it('scores every token as transformers does, whatever padding follows', async () => {
    const program = await compile({ weights, ids }, (given) => ({
      scores: scalarScores(given.weights, decode(given.weights.model, config, given).hidden),
    }));
    const { scores } = await program.run({ weights, ids });
    await program.dispose();
    expect(scores.shape).toEqual([batch, time]);
    const rows = nested(scores as FloatArray) as number[][];
    rows.forEach((row, i) => {
      const { [i]: length } = expected.lengths;
      expect(row.slice(0, length)).toBeAllClose(expected.each[i]!.slice(0, length), { atol: 1e-5, rtol: 1e-5 });
    });
  });

  it('scores the tokens picked with hiddenRows, in any shape', async () => {
    const last = ints(
      [batch, 1],
      expected.lengths.map((length, row) => row * time + length - 1),
    );
    const program = await compile({ weights, ids, last }, (given) => {
      const rows = hiddenRows(decode(given.weights.model, config, given).hidden, given.last);
      return {
        picked: scalarScores(given.weights, rows),
        flat: scalarScores(given.weights, reshape(rows, [batch, config.hiddenSize])),
      };
    });
    const { picked, flat } = await program.run({ weights, ids, last });
    await program.dispose();
    expect(picked.shape).toEqual([batch, 1]);
    expect(flat.shape).toEqual([batch]);
    for (const { data } of [picked, flat]) expect(data).toBeAllClose(expected.scores, { atol: 1e-5, rtol: 1e-5 });
  });
});
