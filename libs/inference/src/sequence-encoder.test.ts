import '@crucible/testing';
import { Random } from '@crucible/foundation';
import {
  type BertConfig,
  classifierLogits,
  encode,
  type EncoderConfig,
  type EncoderHead,
  initEncoder,
  type ModelWeights,
  pool,
  type RobertaConfig,
} from '@crucible/nn';
import { compile, flatten, ints, isNdArray, type NdArray } from '@crucible/tensor';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type EncoderSequence, SequenceEncoder, type SequenceHead } from './sequence-encoder.ts';

const sizes = {
  vocabularySize: 40,
  hiddenSize: 12,
  intermediateSize: 20,
  layers: 2,
  heads: 2,
  maxPositions: 100,
  tokenTypes: 2,
  layerNormEpsilon: 1e-5,
  activation: 'gelu',
} as const;
const bert: BertConfig = { ...sizes, family: 'bert' };
const roberta: RobertaConfig = { ...sizes, family: 'roberta', padId: 1 };

/** Weights at which every part matters. */
function random(config: EncoderConfig, head: EncoderHead): ModelWeights {
  const weights = initEncoder(config, head, Random.seeded(1));
  const numbers = Random.seeded(2);
  for (const { leaf } of flatten<NdArray>(weights, isNdArray))
    for (let i = 0; i < leaf.data.length; i++) leaf.data[i]! += 0.3 * numbers.normal();
  return weights;
}

/** One sequence by itself, without padding. */
async function alone(
  weights: ModelWeights,
  config: EncoderConfig,
  head: SequenceHead,
  { ids, types }: EncoderSequence,
) {
  const row = (values: readonly number[]) => ints([1, values.length], values);
  const inputs = { ids: row(ids), mask: row(ids.map(() => 1)), types: row(types ?? ids.map(() => 0)) };
  const program = await compile({ weights, inputs }, (given) => {
    const hidden = encode(given.weights, config, given.inputs);
    return {
      vector:
        head.kind === 'embedding'
          ? pool(hidden, given.inputs.mask, head.pooling)
          : classifierLogits(given.weights, config, hidden),
    };
  });
  const { vector } = await program.run({ weights, inputs });
  await program.dispose();
  return vector.data as Float32Array;
}

/** Of lengths that fall into several passes and buckets, in no order; the longest fills the context. */
const sequences = [7, 100, 1, 33, 16, 17, 2].map((length, n): EncoderSequence => {
  const ids = Array.from({ length }, (_, i) => 2 + ((i * i + 5 * n) % 38));
  return n % 2 === 0 ? { ids } : { ids, types: ids.map((_id, i) => Number(i > length / 2)) };
});

const heads: [string, EncoderConfig, SequenceHead][] = [
  ['bert, mean', bert, { kind: 'embedding', pooling: { mode: 'mean', normalize: true } }],
  ['bert, max', bert, { kind: 'embedding', pooling: { mode: 'max', normalize: false } }],
  [
    'roberta, mean over the root of the length',
    roberta,
    { kind: 'embedding', pooling: { mode: 'mean-sqrt-length', normalize: false } },
  ],
  ['roberta, first token', roberta, { kind: 'embedding', pooling: { mode: 'cls', normalize: false } }],
  ['bert, classes', bert, { kind: 'classifier' }],
  ['roberta, classes', roberta, { kind: 'classifier' }],
];

describe.each(heads)('vectors of many sequences (%s)', (_name, config, head) => {
  const weights = random(config, head.kind === 'embedding' ? { kind: 'embedding' } : { kind: 'classifier', labels: 3 });

  it('are those of each alone, in their order', async () => {
    const encoder = new SequenceEncoder(weights, config, head, { threads: 1 });
    onTestFinished(() => encoder.dispose());
    const vectors = await encoder.encode(sequences);
    for (const [i, sequence] of sequences.entries())
      expect(vectors[i]).toBeAllClose(await alone(weights, config, head, sequence), { atol: 2e-5 });
  });
});

it('has length 1 where it is normalised, and is none for no sequences', async () => {
  const head: SequenceHead = { kind: 'embedding', pooling: { mode: 'mean', normalize: true } };
  const encoder = new SequenceEncoder(random(bert, { kind: 'embedding' }), bert, head, { threads: 1 });
  onTestFinished(() => encoder.dispose());
  const [vector] = await encoder.encode([{ ids: [3, 4] }]);
  expect(Math.hypot(...vector!)).toBeCloseTo(1, 5);
  expect(await encoder.encode([])).toEqual([]);
});

it.each<[EncoderSequence, string]>([
  [{ ids: [] }, 'sequences[1] is empty; at least one token is needed'],
  [{ ids: new Array<number>(101).fill(2) }, 'sequences[1] has 101 tokens; the context holds 100'],
  [{ ids: [40] }, 'sequences[1] holds token 40; ids go from 0 to 39'],
  [{ ids: [2.5] }, 'sequences[1] holds token 2.5; ids go from 0 to 39'],
  [{ ids: [2, 3], types: [0] }, 'sequences[1] has 1 types for 2 tokens'],
  [{ ids: [2], types: [2] }, 'sequences[1] has a token of type 2; types go from 0 to 1'],
])('refuses %j before any work', async (sequence, message) => {
  const head: SequenceHead = { kind: 'embedding', pooling: { mode: 'mean', normalize: true } };
  const encoder = new SequenceEncoder(random(bert, { kind: 'embedding' }), bert, head, { threads: 1 });
  onTestFinished(() => encoder.dispose());
  await expect(encoder.encode([{ ids: [2] }, sequence])).rejects.toMatchObject({ code: 'invalid-input', message });
});
