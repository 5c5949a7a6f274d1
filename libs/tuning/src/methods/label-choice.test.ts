import { compile } from '@crucible/tensor';
import { referenceAnswerLogProbabilities, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { expect, it } from 'vitest';
import { choiceBatch, choiceLoss, choiceTime, type ChoiceExample } from './label-choice.ts';

const weights = tinyLlama(5);
/** Two labels, three words: of one token, of two that begin like the prompt's end, of three. */
const words = [[[7], [3, 9]], [[4, 11, 6]]];
const examples: ChoiceExample[] = [
  { prompt: [2, 3], label: 0 },
  { prompt: [8, 15, 20, 3, 3, 12], label: 1 },
  { prompt: [2, 3, 5], label: 1 },
];
const shape = { words, context: 32, pad: 0 };

it('is the mean cross-entropy of the labels, of all of their words, whatever lies beside them', async () => {
  const time = choiceTime(examples, shape);
  expect(time).toBe(32);
  const batch = choiceBatch(examples, { ...shape, time });
  // Prompts are read once: all fits one row.
  expect(batch.ids.shape).toEqual([1, 32]);
  const program = await compile({ weights, batch }, (given) => ({
    loss: choiceLoss(given.weights, tinyLlamaConfig, given.batch),
  }));
  const { loss } = await program.run({ weights, batch });
  await program.dispose();

  const likelihood = (prompt: readonly number[], word: readonly number[]): number =>
    Math.exp(referenceAnswerLogProbabilities(weights, prompt, word).reduce((a, b) => a + b, 0));
  const losses = examples.map(({ prompt, label }) => {
    const labels = words.map((own) => own.reduce((total, word) => total + likelihood(prompt, word), 0));
    return -Math.log(labels[label]! / (labels[0]! + labels[1]!));
  });
  expect(loss.data[0]).toBeCloseTo(losses.reduce((a, b) => a + b) / 3, 4);
});
