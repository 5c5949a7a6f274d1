import { Random } from '@crucible/foundation';
import type { NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { type EncoderBody, initEncoder } from './encoder.ts';
import type { BertConfig } from './families/bert.ts';
import { wordCoordinates } from './neighbour-heads.ts';

const config: BertConfig = {
  family: 'bert',
  vocabularySize: 50,
  hiddenSize: 128,
  intermediateSize: 64,
  layers: 2,
  heads: 4,
  maxPositions: 64,
  tokenTypes: 2,
  layerNormEpsilon: 1e-12,
  activation: 'gelu',
};

/** Shares of attention of a head of the first layer, over random words: [time][time]. */
function attention(body: EncoderBody<NdArray>, head: number, ids: readonly number[]): number[][] {
  const { hiddenSize: width, heads } = config;
  const size = width / heads;
  const row = ({ weight }: { readonly weight: NdArray }, at: number): number[] =>
    Array.from((weight.data as Float32Array).subarray(at * width, (at + 1) * width));
  const states = ids.map((id, t) => {
    const { word_embeddings: words, position_embeddings: places, token_type_embeddings: types } = body.embeddings;
    const [a, b, c] = [row(words, id), row(places, t), row(types, 0)];
    const sum = a.map((value, i) => value + b[i]! + c[i]!);
    const mean = sum.reduce((total, value) => total + value, 0) / width;
    const deviation = Math.sqrt(sum.reduce((total, value) => total + (value - mean) ** 2, 0) / width);
    return sum.map((value) => (value - mean) / deviation);
  });
  const { query, key } = body.encoder.layer[0]!.attention.self;
  const part = (matrix: { readonly weight: NdArray }): number[][] =>
    states.map((state) =>
      Array.from({ length: size }, (_, i) =>
        row(matrix, head * size + i).reduce((sum, value, column) => sum + value * state[column]!, 0),
      ),
    );
  const [queries, keys] = [part(query), part(key)];
  return queries.map((own) => {
    const scores = keys.map((other) => own.reduce((sum, value, i) => sum + value * other[i]!, 0) / Math.sqrt(size));
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    return scores.map((score) => Math.exp(score) / total);
  });
}

describe('heads that look at the words beside one', () => {
  const weights = initEncoder(config, { kind: 'masked-language' }, Random.seeded(1));
  const body = weights['bert'] as unknown as EncoderBody<NdArray>;
  const random = Random.seeded(2);
  const ids = Array.from({ length: 64 }, () => random.integer(0, 49));

  it.each([
    [0, -1],
    [1, 1],
    [2, -2],
    [3, 2],
  ])('head %i looks %i words along, wherever it stands', (head, distance) => {
    const shares = attention(body, head, ids);
    let [sum, places] = [0, 0];
    shares.forEach((row, t) => {
      const at = t + distance;
      if (at < 0 || at >= 64) return;
      expect(row.indexOf(Math.max(...row)), `place ${t}`).toBe(at);
      sum += row[at]!;
      places++;
    });
    // An equal share would be 0.016.
    expect(sum / places).toBeGreaterThan(0.25);
  });

  it('leaves the coordinates of words free of places, and those of places free of words', () => {
    const words = wordCoordinates(config);
    expect(words).toBe(96);
    const { word_embeddings: table, position_embeddings: places } = body.embeddings;
    const [word, place] = [table.weight.data, places.weight.data].map((data) => data as Float32Array) as [
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < config.hiddenSize; i++) {
      expect(word[7 * config.hiddenSize + i] === 0, `coordinate ${i}`).toBe(i >= words);
      expect(place[7 * config.hiddenSize + i] === 0, `coordinate ${i}`).toBe(i < words);
    }
  });

  it('are left out of a model whose heads are too narrow', () => {
    expect(wordCoordinates({ ...config, hiddenSize: 16 })).toBe(16);
  });
});
