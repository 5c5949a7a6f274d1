import { ScalarScorer } from '@crucible/inference';
import { referenceScores, tinyLlama, tinyLlamaConfig, tinyRewardModel } from '@crucible/testing';
import { expect, it, onTestFinished } from 'vitest';
import { finiteAnswers } from './batches/answer-groups.ts';
import { pairAccuracy, trainRewardModel } from './reward-model.ts';
import { pad, tinyAnswerGroups } from './testing/tiny-stages.ts';

const groups = tinyAnswerGroups(12);
const config = tinyLlamaConfig;

function scoresOf(weights: unknown, sequences: readonly (readonly number[])[]): number[] {
  return sequences.map((ids) => referenceScores(weights as ReturnType<typeof tinyRewardModel>, ids).at(-1)!);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

it('gives the scores of the reference set mean 0 and deviation 1', async () => {
  const reference = groups.slice(0, 5).flatMap((group) => group.map(({ ids }) => ids));
  const inputs = { config, base: tinyLlama(1), source: finiteAnswers(groups, 1), pad, heldOut: groups, reference };
  const { model } = await trainRewardModel(inputs, { steps: 3, groups: 4, time: 16 });
  const scores = scoresOf(model.weights, reference).map((score) => score - model.bias);
  expect(mean(scores)).toBeAllClose(0, { atol: 1e-4 });
  expect(mean(scores.map((score) => score ** 2))).toBeAllClose(1, { rtol: 1e-4 });
});

it('learns the order of the answers it is shown', async () => {
  const few = groups.slice(0, 4);
  const inputs = { config, base: tinyLlama(1), source: finiteAnswers(few, 1), pad, heldOut: few };
  const { model, metrics } = await trainRewardModel(inputs, { steps: 30, groups: 4, time: 16, learningRate: 0.01 });
  expect(metrics['val_accuracy']).toBe(1);
  for (const group of few) {
    const scores = scoresOf(
      model.weights,
      group.map(({ ids }) => ids),
    );
    for (const [i, a] of group.entries())
      for (const [j, b] of group.entries()) if (a.score > b.score) expect(scores[i]).toBeGreaterThan(scores[j]!);
  }
});

it('measures the share of pairs in the right order, every prompt alike', async () => {
  const weights = tinyRewardModel(5);
  const scorer = new ScalarScorer(weights, config);
  onTestFinished(() => scorer.dispose());
  const expected = groups.map((group) => {
    const scores = scoresOf(
      weights,
      group.map(({ ids }) => ids),
    );
    const pairs = group.flatMap((a, i) =>
      group.flatMap((b, j) => (a.score > b.score ? [scores[i]! > scores[j]!] : [])),
    );
    return pairs.filter(Boolean).length / pairs.length;
  });
  expect(new Set(expected).size).toBeGreaterThan(2);
  expect(await pairAccuracy(scorer, weights, groups, { time: 16, pad })).toBeCloseTo(mean(expected), 12);
});

it('is refused without held-out answers', async () => {
  const inputs = { config, base: tinyLlama(1), source: finiteAnswers(groups, 1), pad, heldOut: [] };
  await expect(trainRewardModel(inputs)).rejects.toThrow(
    'reward model: there are no held-out answers to measure it on',
  );
});
