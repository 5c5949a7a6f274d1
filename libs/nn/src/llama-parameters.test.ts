import { Random } from '@crucible/foundation';
import { flatten, isNdArray, type NdArray } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { initLanguageModel, initScalarHead, isInnerMatrix } from './llama-parameters.ts';
import { readLanguageFixture } from './testing/llama-fixture.ts';

function shapesOf(tree: object): Record<string, readonly number[]> {
  return Object.fromEntries(flatten<NdArray>(tree, isNdArray).map(({ path, leaf }) => [path, leaf.shape]));
}

describe('initLanguageModel', () => {
  it.each(['tied', 'untied'] as const)('makes the tensors of a checkpoint of transformers, %s', (name) => {
    const { config, weights } = readLanguageFixture(name);
    expect(shapesOf(initLanguageModel(config, Random.seeded(1)))).toEqual(shapesOf(weights));
  });

  it('gives the same numbers for the same seed, and others for another', () => {
    const { config } = readLanguageFixture('untied');
    expect(initLanguageModel(config, Random.seeded(1))).toEqual(initLanguageModel(config, Random.seeded(1)));
    const [first, second] = [1, 2].map((seed) => initLanguageModel(config, Random.seeded(seed)));
    expect(first!.model.embed_tokens).not.toEqual(second!.model.embed_tokens);
    expect(first!.model.layers[0]!.self_attn.q_proj).not.toEqual(first!.model.layers[1]!.self_attn.q_proj);
  });
});

describe('initScalarHead', () => {
  it('draws normal weights of deviation 1/√(hiddenSize + 1)', () => {
    const config = { ...readLanguageFixture('tied').config, hiddenSize: 4095 };
    const { weight } = initScalarHead(config, Random.seeded(1));
    expect(weight.shape).toEqual([1, 4095]);
    const squares = [...weight.data].reduce((sum, value) => sum + value * value, 0);
    // The mean square of n normal numbers deviates by √(2/n): here 2.2 %.
    expect(squares / 4095).toBeGreaterThan((1 / 4096) * 0.9);
    expect(squares / 4095).toBeLessThan((1 / 4096) * 1.1);
    expect(initScalarHead(config, Random.seeded(1))).toEqual({ weight });
  });
});

describe('isInnerMatrix', () => {
  it('picks the seven matrices of every layer', () => {
    const { config, weights } = readLanguageFixture('untied');
    const picked = Object.entries(shapesOf(weights)).filter(([path, shape]) => isInnerMatrix(path, shape));
    const names = [
      'mlp.down_proj',
      'mlp.gate_proj',
      'mlp.up_proj',
      ...['k', 'o', 'q', 'v'].map((x) => `self_attn.${x}_proj`),
    ];
    const layers = Array.from({ length: config.layers }, (_, i) =>
      names.map((name) => `model.layers.${i}.${name}.weight`),
    );
    expect(picked.map(([path]) => path).sort()).toEqual(layers.flat());
  });
});
