import '@crucible/testing';
import { Random } from '@crucible/foundation';
import {
  compile,
  flatten,
  gradient,
  isNdArray,
  mul,
  sum,
  type FloatArray,
  floats,
  type IntArray,
  ints,
  matmul,
  type NdArray,
  reshape,
  type Tensor,
} from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { decode, hiddenRows, languageLogits, predictionsOf, scalarScores } from './decoder.ts';
import type { DecoderInput } from './decoder-family.ts';
import type { DecoderConfig } from './families.ts';
import type { ParameterTree } from './parameters.ts';
import { type ModelFixture, readDecoderFixture } from './testing/model-fixture.ts';

const table = (rows: readonly (readonly number[])[]): IntArray => ints([rows.length, rows[0]!.length], rows.flat());

/** The logits of every token, row by row and token by token. */
async function logitsOf(
  { config, weights }: ModelFixture<DecoderConfig>,
  input: { readonly [K in keyof Omit<DecoderInput, 'prefix' | 'recompute'>]: IntArray },
): Promise<number[][][]> {
  const program = await compile({ weights, input }, (given) => ({
    logits: languageLogits(given.weights, config, decode(given.weights, config, given.input).hidden),
  }));
  const { logits } = await program.run({ weights, input });
  await program.dispose();
  return nested(logits) as number[][][];
}

type Nested = number | Nested[];

function nested({ shape, data }: NdArray): Nested {
  const build = (axis: number, start: number, length: number): Nested => {
    if (axis === shape.length) return data[start]!;
    const step = length / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, start + i * step, step));
  };
  return build(0, 0, data.length);
}

const close = { atol: 3e-5, rtol: 1e-5 };

it('makes logits in two factors, also with an adapter of the head', async () => {
  const { config, weights } = readDecoderFixture('llama-untied');
  const random = Random.seeded(1);
  const normal = (...shape: [number, number]): FloatArray =>
    floats(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
    );
  const { hiddenSize, vocabularySize } = config;
  const inputs = { weights, hidden: normal(5, hiddenSize), down: normal(2, hiddenSize), up: normal(vocabularySize, 2) };
  const program = await compile(inputs, ({ weights: plain, hidden, down, up }) => {
    const adapted = { ...plain, lm_head: { ...(plain['lm_head'] as object), lowRank: { down, up, scale: 0.5 } } };
    return [plain, adapted].map((given) => {
      const factors = predictionsOf(given as ParameterTree<Tensor>, config, hidden);
      return {
        factored: matmul(factors.hidden, factors.head, { transposeB: true }),
        logits: languageLogits(given as ParameterTree<Tensor>, config, hidden),
      };
    });
  });
  const [plain, adapted] = (await program.run(inputs)) as Record<'factored' | 'logits', FloatArray>[];
  await program.dispose();
  expect(plain!.factored.data).toEqual(plain!.logits.data);
  expect(adapted!.factored.data).toBeAllClose(adapted!.logits.data, close);
  expect(adapted!.logits.data).not.toBeAllClose(plain!.logits.data, close);
});

describe.each(['llama-untied', 'qwen2-window', 'qwen3', 'gpt2'])('the decoder %s of transformers', (name) => {
  const fixture = readDecoderFixture(name);
  const { ids: rows, sequences } = fixture.given;
  const expected = (key: string): FloatArray => fixture.expected.get(key)!;
  const [first, second] = rows as [number[], number[]];

  it('counts positions from 0 by default', async () => {
    const counted = table(rows.map((row) => row.map((_id, t) => t)));
    const ids = table(rows);
    expect(await logitsOf(fixture, { ids, positions: counted })).toEqual(await logitsOf(fixture, { ids }));
  });

  it('has the same gradients where layers are worked out again', async () => {
    const { config, weights } = fixture;
    const ids = table(rows);
    const results = [];
    for (const recompute of ['none', 'block'] as const) {
      const program = await compile({ weights, ids }, (given) => {
        const { hidden } = decode(given.weights, config, { ids: given.ids, recompute });
        const loss = sum(mul(hidden, hidden));
        return { loss, by: gradient(loss, given.weights) };
      });
      // What goes into each layer is behind one, and what else it reads that was computed
      const barriers = program.print().match(/= barrier/g)?.length ?? 0;
      if (recompute === 'block') expect(barriers).toBeGreaterThanOrEqual(config.layers);
      else expect(barriers).toBe(0);
      results.push(flatten<NdArray>(await program.run({ weights, ids }), isNdArray));
      await program.dispose();
    }
    const [plain, again] = results as [(typeof results)[0], (typeof results)[0]];
    again.forEach(({ path, leaf }, i) => {
      expect(path).toBe(plain[i]!.path);
      const size = Math.max(...plain[i]!.leaf.data.map(Math.abs));
      expect(leaf.data).toBeAllClose(plain[i]!.leaf.data, { atol: 1e-5 * size });
    });
  });

  it('gives each of several sequences in one row what transformers gives it alone', async () => {
    // Two tokens of padding at the end, and the same sequences in the other order in a second row.
    const orders = [sequences, sequences.toReversed()];
    const packed = {
      ids: table(orders.map((order) => [...order.flat(), 0, 0])),
      positions: table(orders.map((order) => [...order.flatMap((sequence) => sequence.map((_id, t) => t)), 0, 0])),
      segments: table(orders.map((order) => [...order.flatMap((sequence, i) => sequence.map(() => i + 1)), 0, 0])),
    };
    const logits = await logitsOf(fixture, packed);
    const all = nested(expected('alone')) as number[][];
    let next = 0;
    const alone = sequences.map(({ length }) => all.slice(next, (next += length)));
    expect(logits[0]!.slice(0, all.length)).toBeAllClose(all, close);
    expect(logits[1]!.slice(0, all.length)).toBeAllClose(alone.toReversed().flat(), close);
  });

  it('gives continuations of one beginning what each gives with the beginning before it alone', async () => {
    const [beginning, rests] = [first.slice(0, 6), [second.slice(0, 4), second.slice(5, 9), second.slice(8, 9)]];
    const branches = [...beginning.map(() => 0), ...rests.flatMap((rest, i) => rest.map(() => i + 1))];
    const logits = await logitsOf(fixture, {
      ids: table([[...beginning, ...rests.flat()]]),
      positions: table([[...beginning.map((_, t) => t), ...rests.flatMap((rest) => rest.map((_, t) => 6 + t))]]),
      segments: table([branches.map(() => 1)]),
      branches: table([branches]),
    });
    let next = beginning.length;
    for (const rest of rests) {
      const [alone] = await logitsOf(fixture, { ids: table([[...beginning, ...rest]]) });
      expect(logits[0]!.slice(next, (next += rest.length))).toBeAllClose(alone!.slice(beginning.length), close);
    }
  });

  it('lets no token look at a later one or at another row', async () => {
    const changed = first.map((id, t) => (t < 6 ? id : 3 + ((id + 1) % 30)));
    const before = await logitsOf(fixture, { ids: table([first, second]) });
    const after = await logitsOf(fixture, { ids: table([changed, second]) });
    expect(after[0]!.slice(0, 6)).toBeAllClose(before[0]!.slice(0, 6), { atol: 1e-6 });
    expect(after[1]).toBeAllClose(before[1]!, { atol: 1e-6 });
    expect(after[0]![6]).not.toBeAllClose(before[0]![6]!, { atol: 1e-2 });
  });
});

/** Not of one with a window: ours counts positions, that of transformers places in the row, and these have gaps. */
it.each(['llama-untied', 'llama-scaled', 'qwen3', 'gpt2'])('%s takes the positions that it is given', async (name) => {
  const fixture = readDecoderFixture(name);
  const { ids: rows, positions } = fixture.given;
  const [logits] = await logitsOf(fixture, { ids: table(rows.slice(0, 1)), positions: table(positions) });
  const expected = (key: string): Nested[] => nested(fixture.expected.get(key)!) as Nested[];
  expect(logits).toBeAllClose(expected('at_positions'), close);
  expect(logits).not.toBeAllClose(expected('logits')[0] as number[][], { atol: 1e-2 });
});

it('scores the tokens picked with hiddenRows, in any shape', async () => {
  const { config, weights, given, expected } = readDecoderFixture('llama-scalar');
  const ids = table(given.ids);
  const [batch, time] = ids.shape as [number, number];
  const last = ints(
    [batch, 1],
    given.lengths.map((length, row) => row * time + length - 1),
  );
  const program = await compile({ weights, ids, last }, (inputs) => {
    const rows = hiddenRows(decode(inputs.weights, config, inputs).hidden, inputs.last);
    return {
      picked: scalarScores(inputs.weights, rows),
      flat: scalarScores(inputs.weights, reshape(rows, [batch, config.hiddenSize])),
    };
  });
  const { picked, flat } = await program.run({ weights, ids, last });
  await program.dispose();
  expect(picked.shape).toEqual([batch, 1]);
  expect(flat.shape).toEqual([batch]);
  for (const { data } of [picked, flat]) expect(data).toBeAllClose(expected.get('logits')!.data, close);
});
