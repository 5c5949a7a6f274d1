import { Random } from '@crucible/foundation';
import { flatten, isNdArray, type NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { bodyOf, decoderParameters, initLanguageModel, withScalarHead } from './decoder.ts';
import { encoderParameters, initEncoder } from './encoder.ts';
import { readDecoderFixture, readEncoderFixture } from './testing/model-fixture.ts';

function shapesOf(tree: object): Record<string, readonly number[]> {
  return Object.fromEntries(flatten<NdArray>(tree, isNdArray).map(({ path, leaf }) => [path, leaf.shape]));
}

describe('random parameters', () => {
  it.each(['llama-tied', 'llama-untied', 'qwen2', 'qwen3', 'gpt2', 'gpt2-scaled'])(
    'are the tensors of a checkpoint of transformers: %s',
    (name) => {
      const { config, weights } = readDecoderFixture(name);
      const made = initLanguageModel(config, Random.seeded(1));
      expect(shapesOf(made)).toEqual(shapesOf(weights));
      expect(flatten(made, isNdArray).map(({ path }) => path)).toEqual(
        Array.from(decoderParameters(config, { kind: 'language' }), ({ path }) => path),
      );
    },
  );

  it('of an encoder are those of transformers too', () => {
    const { config, weights } = readEncoderFixture('roberta-masked');
    expect(shapesOf(initEncoder(config, { kind: 'masked-language' }, Random.seeded(1)))).toEqual(shapesOf(weights));
  });

  it('are the same numbers for the same seed, and others for another', () => {
    const { config } = readDecoderFixture('llama-untied');
    expect(initLanguageModel(config, Random.seeded(1))).toEqual(initLanguageModel(config, Random.seeded(1)));
    const [first, second] = [1, 2].map((seed) => initLanguageModel(config, Random.seeded(seed)));
    expect(first).not.toEqual(second);
  });

  it('make every layer the identity, and every token alike, in any family', () => {
    const { config } = readDecoderFixture('gpt2-scaled');
    const made = initLanguageModel(config, Random.seeded(1));
    const values = new Map(flatten<NdArray>(made, isNdArray).map(({ path, leaf }) => [path, leaf.data]));
    for (const { path, role, inputs } of decoderParameters(config, { kind: 'language' })) {
      const data = values.get(path)! as Float32Array;
      const square = data.reduce((sum, value) => sum + value * value, 0) / data.length;
      if (role === 'output' || role === 'head' || role === 'bias') expect(square, path).toBe(0);
      if (role === 'norm')
        expect(
          data.every((value) => value === 1),
          path,
        ).toBe(true);
      // Of n values with deviation d, the mean square deviates by d² √(2/n): 12 % of 144.
      if (role === 'matrix') expect(square * inputs!, path).toBeCloseTo(1, 0);
    }
  });
});

describe('a scalar head', () => {
  it('has normal weights of deviation 1/√(hiddenSize + 1), and the body of the model that it is put on', () => {
    const { config } = readDecoderFixture('gpt2');
    const wide = { ...config, hiddenSize: 4095 };
    const base = {
      transformer: { only: { weight: { dtype: 'float32' as const, shape: [1], data: Float32Array.of(7) } } },
    };
    const model = withScalarHead(base, wide, Random.seeded(1));
    expect(bodyOf(model, wide)).toBe(base.transformer);
    const { weight } = model['score'] as { weight: NdArray };
    expect(weight.shape).toEqual([1, 4095]);
    const squares = [...weight.data].reduce((sum, value) => sum + value * value, 0);
    // The mean square of n normal numbers deviates by √(2/n): here 2.2 %.
    expect(squares / 4095).toBeGreaterThan((1 / 4096) * 0.9);
    expect(squares / 4095).toBeLessThan((1 / 4096) * 1.1);
  });
});

it('of an encoder that pools alone, the pooler may be missing', () => {
  const { config } = readEncoderFixture('minilm');
  const optional = Array.from(encoderParameters(config, { kind: 'embedding' })).filter((spec) => spec.optional);
  expect(optional.map(({ path }) => path)).toEqual(['bert.pooler.dense.weight', 'bert.pooler.dense.bias']);
});
