import { Random } from '@crucible/foundation';
import { embeddingDeviation, initEncoder } from '@crucible/nn';
import type { NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { streamSource } from './batches/token-windows.ts';
import { encoderConfigOf, mlmDefaults } from './mlm.ts';
import { beginWithStatistics, firstTokens, wordStatistics } from './word-statistics.ts';

/** What a row is about: its words are of one list. */
const lists = [
  [0, 1],
  [2, 3, 4],
  [5, 6],
  [7, 8, 9],
];
const size = 12;
const width = 4;
const time = 16;

function sentences(seed: number): Int32Array {
  const random = Random.seeded(seed);
  return Int32Array.from({ length: 4096 }, (_, at) => random.pick(lists[Math.floor(at / time) % lists.length]!));
}

const options = { size, width, random: Random.seeded(2) };

describe('statistics of words', () => {
  it('put words together that stand beside the same others and keep the others apart', async () => {
    const { counts, vectors } = await wordStatistics({ ids: sentences(1), time }, options);
    const cosine = (a: number, b: number): number => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (vectors[a * width + i]! * vectors[b * width + i]!) / width;
      return sum;
    };
    for (const list of lists) {
      for (const word of list) {
        expect(cosine(word, word)).toBeCloseTo(1, 5);
        for (let other = 0; other < 10; other++) {
          if (list.includes(other)) expect(cosine(word, other), `${word} and ${other}`).toBeGreaterThan(0.9);
          else expect(cosine(word, other), `${word} and ${other}`).toBeLessThan(0.2);
        }
      }
    }
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4096);
    // What never occurs says nothing.
    expect([...vectors.subarray(10 * width)].every((value) => value === 0)).toBe(true);
  });

  it('do not look across the ends of rows', async () => {
    // Rows of one word each: nothing stands beside anything else, and what is always there tells nothing apart.
    const ids = Int32Array.from({ length: 64 }, (_, at) => Math.floor(at / 8) % 4);
    const { vectors } = await wordStatistics({ ids, time: 8 }, { ...options, size: 4, width: 4 });
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b < a; b++) {
        const product = vectors
          .subarray(4 * a, 4 * a + 4)
          .reduce((sum, value, i) => sum + value * vectors[4 * b + i]!, 0);
        expect(product, `${a} and ${b}`).toBeCloseTo(0, 5);
      }
    }
  });

  it('are read from the rows of training, and the same for the same seed', async () => {
    const source = streamSource(sentences(3), 1);
    const text = firstTokens(source, 1000, time);
    expect(text.ids).toHaveLength(1024);
    expect(text.ids.subarray(0, 512)).toEqual(source.batch(0, 32, time).ids.data);
    const again = { ...options, random: Random.seeded(2) };
    expect(await wordStatistics(text, { ...options, random: Random.seeded(2) })).toEqual(
      await wordStatistics(text, again),
    );
  });

  it('can be stopped', async () => {
    const signal = AbortSignal.abort();
    await expect(wordStatistics({ ids: sentences(1), time }, { ...options, signal })).rejects.toThrow('was cancelled');
  });

  it('become the first words of an encoder, and how frequent it thinks they are', () => {
    const config = encoderConfigOf({ ...mlmDefaults, hiddenSize: 32, layers: 1, heads: 2 }, size);
    const weights = initEncoder(config, { kind: 'masked-language' }, Random.seeded(1));
    const { bert, cls } = weights as unknown as {
      readonly bert: { readonly embeddings: { readonly word_embeddings: { readonly weight: NdArray } } };
      readonly cls: { readonly predictions: { readonly bias: NdArray } };
    };
    const table = bert.embeddings.word_embeddings.weight.data as Float32Array;
    const unseen = table.slice(11 * 32, 12 * 32);
    // 8 of the 32 coordinates are of places.
    const words = 24;
    const vectors = Float32Array.from({ length: size * words }, (_, i) => (i < 11 * words ? (i % 7) - 3 : 0));
    const counts = Float64Array.from({ length: size }, (_, id) => (id < 11 ? 9 : 0));
    beginWithStatistics(weights, config, { counts, vectors });
    expect(table[5 * 32 + 3]).toBeCloseTo(embeddingDeviation * (((5 * words + 3) % 7) - 3), 6);
    expect([...table.subarray(5 * 32 + words, 6 * 32)].every((value) => value === 0)).toBe(true);
    expect(table.slice(11 * 32, 12 * 32)).toEqual(unseen);
    const bias = cls.predictions.bias.data as Float32Array;
    expect(bias[0]).toBeCloseTo(Math.log(10 / 111), 5);
    expect(bias.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 5);
  });
});
