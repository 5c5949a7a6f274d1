import { Random } from '@crucible/foundation';
import type { NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { canHaveInductionHeads } from './induction-heads.ts';
import { initLanguageModel } from './decoder.ts';
import { headSize } from './decoder-sizes.ts';
import type { LlamaConfig } from './families/llama.ts';
import type { Weight } from './linear.ts';
import type { RotaryBody } from './rotary-decoder.ts';

const config: LlamaConfig = {
  family: 'llama',
  vocabularySize: 200,
  hiddenSize: 128,
  intermediateSize: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  maxPositions: 128,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: false,
};
const size = headSize(config);

interface Model {
  readonly model: RotaryBody<NdArray>;
  readonly lm_head?: Weight<NdArray>;
}

/** Written out in plain numbers, from the equations: what head 0 of each layer looks at, and the token it comes to. */
function predict(
  weights: Model,
  ids: readonly number[],
): { readonly looks: readonly number[][][]; readonly next: readonly number[] } {
  const { model, lm_head } = weights;
  let stream = ids.map((id) => rowOf(model.embed_tokens.weight, id));
  const looks = model.layers.map(({ self_attn: { q_proj, k_proj, v_proj, o_proj } }) => {
    const normed = stream.map(normalized);
    const head = ({ weight }: { readonly weight: NdArray }) =>
      normed.map((x) => Array.from({ length: size }, (_, row) => dot(rowOf(weight, row), x)));
    const [queries, keys] = [head(q_proj).map(rotated), head(k_proj).map(rotated)];
    const values = head(v_proj);
    const looks = queries.map((query, i) => {
      const raw = keys.slice(0, i + 1).map((key) => Math.exp(dot(query, key) / Math.sqrt(size)));
      const total = raw.reduce((a, b) => a + b, 0);
      return raw.map((value) => value / total);
    });
    stream = stream.map((x, i) => {
      const mixed = Array.from({ length: size }, (_, d) =>
        looks[i]!.reduce((sum, w, j) => sum + w * values[j]![d]!, 0),
      );
      // Head 0 alone: the other heads begin with an output of zero.
      return x.map((value, d) => value + dot(rowOf(o_proj.weight, d).slice(0, size), mixed));
    });
    return looks;
  });
  const next = stream.map((x) => {
    const logits = Array.from({ length: config.vocabularySize }, (_, token) =>
      dot(rowOf(lm_head!.weight, token), normalized(x)),
    );
    return logits.indexOf(Math.max(...logits));
  });
  return { looks, next };
}

function normalized(x: readonly number[]): number[] {
  const rms = Math.sqrt(dot(x, x) / x.length + config.rmsNormEpsilon);
  return x.map((value) => value / rms);
}

function rotated(vector: readonly number[], position: number): number[] {
  const half = size / 2;
  return vector.map((value, d) => {
    const angle = position * config.ropeTheta ** (-(d % half) / half);
    const other = d < half ? -vector[d + half]! : vector[d - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

const rowOf = ({ data, shape }: NdArray, row: number): number[] => [
  ...(data as Float32Array).subarray(row * shape[1]!, (row + 1) * shape[1]!),
];
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe('a model begins with', () => {
  const random = Random.seeded(3);
  const once = random.shuffled(Array.from({ length: config.vocabularySize }, (_, id) => id)).slice(0, 40);
  // The second half repeats the first: at every token of it, its former occurrence was `once.length` before.
  const { looks, next } = predict(initLanguageModel(config, Random.seeded(1)) as unknown as Model, [...once, ...once]);
  const [first, second] = looks as [number[][], number[][]];

  it('a head that looks at the token before', () => {
    for (let i = 1; i < first.length; i++) expect(first[i]![i - 1]).toBeGreaterThan(0.5);
  });

  it('a head that looks at what came after the same token before', () => {
    const hits = second.slice(once.length).filter((looks, i) => looks.indexOf(Math.max(...looks)) === i + 1);
    expect(hits.length / once.length).toBeGreaterThan(0.8);
  });

  it('the prediction that this comes again', () => {
    const hits = next.slice(once.length, -1).filter((token, i) => token === once[i + 1]);
    expect(hits.length / (once.length - 1)).toBeGreaterThan(0.8);
  });
});

it.each([
  ['one layer', { layers: 1 }],
  ['a tied head', { tieEmbeddings: true }],
  ['heads too small to tell distances', { heads: 16, keyValueHeads: 16 }],
  ['a stream too narrow for the coordinates', { hiddenSize: 64, heads: 2, keyValueHeads: 1 }],
] as const)('not with %s', (_name, part) => {
  expect(canHaveInductionHeads({ ...config, ...part })).toBe(false);
});
