import { Random } from '@crucible/foundation';
import { compile, flatten, ints, isNdArray, itemOf, sizeOf } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { createGpt, lossOf } from './gpt.ts';

describe('the GPT of the benchmark', () => {
  it("has as many parameters as the peer's", () => {
    const gpt = createGpt({ width: 256, layers: 6, heads: 8, time: 256, vocabulary: 4096 }, Random.seeded(1));
    // As the peer's script prints it.
    expect(flatten(gpt, isNdArray).reduce((sum, { leaf }) => sum + sizeOf(leaf.shape), 0)).toBe(5_853_184);
  });

  it('predicts a token from the tokens up to it and none after', async () => {
    const shape = { width: 16, layers: 2, heads: 2, time: 6, vocabulary: 11 };
    const gpt = createGpt(shape, Random.seeded(2));
    const row = { shape: [1, shape.time], dtype: 'int32' } as const;
    const program = await compile({ gpt, ids: row, next: row }, (inputs) => ({
      loss: lossOf(inputs.gpt, shape, inputs.ids, inputs.next),
    }));
    const loss = async (tokens: readonly number[], next: readonly number[]): Promise<number> =>
      itemOf((await program.run({ gpt, ids: ints([1, 6], tokens), next: ints([1, 6], next) })).loss);
    // The loss is a mean: the difference between two targets at one place is that of their log-probabilities there.
    const difference = async (tokens: readonly number[], place: number): Promise<number> => {
      const targets = [1, 2, 3, 4, 5, 6];
      return (await loss(tokens, targets)) - (await loss(tokens, targets.with(place, 10)));
    };
    expect(await loss([3, 1, 4, 1, 5, 9], [1, 2, 3, 4, 5, 6])).toBeCloseTo(Math.log(11), 1);
    const [one, other] = [
      [3, 1, 4, 1, 5, 9],
      [3, 1, 4, 1, 5, 2],
    ] as const;
    expect(await difference(other, 4)).toBeCloseTo(await difference(one, 4), 6);
    expect(Math.abs((await difference(other, 5)) - (await difference(one, 5)))).toBeGreaterThan(1e-4);
    await program.dispose();
  });
});
