import '@crucible/testing';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { tinyLlamaConfig } from '@crucible/testing';
import { trainBpe } from '@crucible/tokenizer';
import { beforeAll, expect, it } from 'vitest';
import type { LabelledText } from '../task.ts';
import { parseTemplate } from '../template.ts';
import { withoutZeros } from '../testing/without-zeros.ts';
import type { CausalModel } from './causal-reader.ts';
import { decoderMethod } from './decoder.ts';
import { type MixedTask, trainMixedPrompts } from './mixed-prompts.ts';

let model: CausalModel;
beforeAll(async () => {
  const tokenizer = await trainBpe(['the red one was good. the blue two was bad. is it up or down? '.repeat(40)], {
    vocabSize: 330,
  });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: 128 };
  const weights = withoutZeros(initLanguageModel(config, Random.seeded(1)), Random.seeded(2));
  model = { weights, config, tokenizer, base: 'tiny@1' };
});

const examples = (texts: readonly (readonly [string, number])[]): LabelledText[] =>
  texts.map(([text, label]) => ({ text, label }));

/** Tasks of different labels, words, templates and lengths. */
const tasks: MixedTask[] = [
  {
    template: parseTemplate('{text} was {mask}.'),
    words: { no: ['bad'], yes: ['good', 'one'] },
    data: {
      ...{ name: 'colour', labels: ['no', 'yes'] },
      train: examples([
        ['the red one', 1],
        ['the blue two', 0],
        ['red', 1],
        ['blue one', 0],
      ]),
    },
  },
  {
    template: parseTemplate('is it up or down or the one? {text} {text} {text} {mask}'),
    words: { a: ['up'], b: ['down'], c: ['the'] },
    data: {
      ...{ name: 'way', labels: ['a', 'b', 'c'] },
      train: examples([
        ['one two one two', 0],
        ['two two was good', 1],
        ['is it was bad', 2],
      ]),
    },
  },
];
const settings = {
  ...{
    seed: 1,
    steps: 6,
    rows: 2,
    learningRate: 5e-2,
    warmupShare: 0.1,
    weightDecay: 0.01,
    evaluations: 0,
    threads: 1,
  },
};

it('learns each prompt as if it had been alone, and one batch of both says what each says by itself', async () => {
  const mixed = await trainMixedPrompts(model, tasks, 4, settings);
  const inputs = ['red two', 'the one', 'blue', 'was good or bad'].map((text) => ({ text }));
  const together = await mixed.predict(inputs.flatMap((input) => [0, 1].map((task) => ({ task, input }))));
  for (const [task, { template, words, data }] of tasks.entries()) {
    const own = together.filter((_row, i) => i % 2 === task);
    expect(own.flat()).toBeAllClose((await mixed.tuned[task]!.predict(inputs)).flat(), { atol: 1e-5, rtol: 1e-4 });
    const alone = await decoderMethod(model, 'soft-prompt', { template, words, adapter: { tokens: 4 } }).train(
      { ...data, dev: [] },
      settings,
    );
    expect(own.flat()).toBeAllClose((await alone.predict(inputs)).flat(), { atol: 2e-4, rtol: 2e-3 });
    expect(mixed.tuned[task]!.trainedParameters).toBe(4 * tinyLlamaConfig.hiddenSize);
    await alone.dispose();
  }
  // The tasks do say different things.
  expect(together[0]).toHaveLength(2);
  expect(together[1]).toHaveLength(3);
  await expect(mixed.predict([{ task: 2, input: inputs[0]! }])).rejects.toThrow('task 2 does not exist; there are 2');
  await mixed.dispose();
});
