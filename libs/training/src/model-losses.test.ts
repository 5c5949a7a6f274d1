/** What a stage's loss may depend on, and what not: on real models and the stages' own batches. */
import { Random } from '@crucible/foundation';
import type { ModelWeights } from '@crucible/nn';
import { gather, identityMatrix, mul } from '@crucible/tensor';
import {
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceScores,
  tinyLlama,
  tinyLlamaConfig as config,
  tinyRewardModel,
} from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { answerBatch, type AnswerBatch, answerParts } from './batches/answer-groups.ts';
import { finiteChats } from './batches/chat-rows.ts';
import { experienceBatch, experienceParts, type Learned } from './batches/experience-batch.ts';
import { type PredictionBatch, predictionBatch, predictionParts, targetsOf } from './batches/prediction.ts';
import { streamSource } from './batches/token-windows.ts';
import { meanPredictionLoss } from './bits-per-byte.ts';
import { pairLoss, predictionLoss, predictionsAt, scoresAt } from './losses.ts';
import { packSequences } from '@crucible/inference';
import { policyObjective, valueObjective } from './ppo.ts';
import { lossAndGradients, type NamedValues } from './testing/gradients.ts';
import { eos, pad, tinyAnswerGroups, tinyChats, tokens } from './testing/tiny-stages.ts';
import type { LossFunction } from './train-step.ts';

const language = tinyLlama(1);
const scalarModel = tinyRewardModel(2);

function expectSameGradients(actual: NamedValues, expected: NamedValues): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [path, values] of Object.entries(expected))
    expect(actual[path]).toBeAllClose(values, { atol: 3e-6, rtol: 1e-4 });
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('the loss of fine-tuning', () => {
  const loss: LossFunction<ModelWeights, PredictionBatch> = (parameters, batch) => {
    const { loss: own, ...metrics } = predictionLoss(
      predictionsAt(parameters, config, batch, batch.at),
      batch.targets,
      batch.weights,
    );
    return { loss: own, metrics };
  };
  const chats = tinyChats(5);

  function batchOf(time: number, padding = pad): PredictionBatch {
    const { packed, places } = packSequences(
      chats.map(({ ids }) => ids),
      { time, pad: padding },
    );
    const targets = chats.flatMap(({ ids, answerMask }, i) => targetsOf(ids, answerMask, places[i]!));
    return predictionBatch(packed, targets);
  }

  it('is the mean over answer tokens, the end included, the n-th of an answer weighing 1/√n', async () => {
    const { loss: value } = await lossAndGradients(language, loss, batchOf(40));
    let [nats, weight] = [0, 0];
    for (const { ids, answerMask } of chats) {
      const first = answerMask.indexOf(true);
      const own = referenceAnswerLogProbabilities(language, ids.slice(0, first), ids.slice(first));
      own.forEach((logProbability, i) => {
        nats -= logProbability / Math.sqrt(i + 1);
        weight += 1 / Math.sqrt(i + 1);
      });
    }
    expect(value).toBeAllClose(nats / weight, { rtol: 1e-5 });
  });

  it('and its gradient do not depend on padding', async () => {
    const tight = await lossAndGradients(language, loss, batchOf(24));
    const wide = await lossAndGradients(language, loss, batchOf(60, 17));
    expect(wide.loss).toBeAllClose(tight.loss, { rtol: 1e-5 });
    expectSameGradients(wide.gradients, tight.gradients);
  });

  it.each([2, 3, 6])('and its gradient do not depend on the split into %d parts', async (count) => {
    const batch = finiteChats(chats, { seed: 1, pad }).batch(0, 6, 18);
    const whole = await lossAndGradients(language, loss, batch);
    const parts = predictionParts(batch, count);
    expect(parts.map(({ ids }) => ids.shape)).toEqual(Array.from({ length: count }, () => [6 / count, 18]));
    const inParts = await lossAndGradients(language, loss, parts);
    expect(inParts.loss).toBeAllClose(whole.loss, { rtol: 1e-5 });
    expectSameGradients(inParts.gradients, whole.gradients);
  });

  it('gives no gradient to what is asked, and some to every token of the answer', async () => {
    // One output row a token: its gradient is zero exactly where the token is no target and its logit does not count.
    const { packed, places } = packSequences([chats[0]!.ids], { time: 24, pad });
    const targets = targetsOf(chats[0]!.ids, chats[0]!.answerMask, places[0]!);
    const batch = predictionBatch(packed, targets);
    const { gradients } = await lossAndGradients(
      { logits: logitsOf(batch) },
      ({ logits }, { at, targets: ids, weights }) => ({
        loss: predictionLoss(
          { hidden: gather(logits, at), head: identityMatrix(at.graph, config.vocabularySize) },
          ids,
          weights,
        ).loss,
      }),
      { at: batch.at, targets: batch.targets, weights: batch.weights },
    );
    const width = config.vocabularySize;
    const moved = Array.from({ length: 24 }, (_, t) =>
      gradients['logits']!.subarray(t * width, (t + 1) * width).some((value) => value !== 0),
    );
    // The logits after a token predict the next one.
    expect(moved).toEqual(Array.from({ length: 24 }, (_, t) => chats[0]!.answerMask[t + 1] ?? false));
    expect(chats[0]!.ids.at(-1)).toBe(eos);
  });

  /** The reference's logits for every token of the only row, zeros for padding. */
  function logitsOf(batch: PredictionBatch) {
    const rows = referenceLogits(language, chats[0]!.ids);
    const data = new Float32Array(batch.ids.data.length * config.vocabularySize);
    data.set(rows.flat());
    return { dtype: 'float32' as const, shape: [batch.ids.data.length, config.vocabularySize], data };
  }
});

describe('the loss of pre-training', () => {
  const source = streamSource(Int32Array.from(tokens(Random.seeded(1), 200)), 1);

  it('and its gradient do not depend on the split into parts', async () => {
    const lossOfParts =
      (count: number): LossFunction<ModelWeights, ReturnType<typeof source.batch>> =>
      (parameters, batch) => {
        const loss = meanPredictionLoss(parameters, config, batch);
        return { loss: count === 1 ? loss : mul(loss, 1 / count) };
      };
    const whole = await lossAndGradients(language, lossOfParts(1), source.batch(3, 6, 8));
    const parts = [0, 1, 2].map((i) => source.batch(9 + i, 2, 8));
    const inParts = await lossAndGradients(language, lossOfParts(3), parts);
    expect(inParts.loss).toBeAllClose(whole.loss, { rtol: 1e-5 });
    expectSameGradients(inParts.gradients, whole.gradients);
  });
});

describe('the loss of the reward model', () => {
  const groups = tinyAnswerGroups(4);
  const loss: LossFunction<typeof scalarModel, AnswerBatch> = (parameters, batch) => {
    const scores = scoresAt(parameters, config, batch, batch.ends);
    const { loss: own, ...metrics } = pairLoss(scores, batch.better, batch.worse, batch.weights);
    return { loss: own, metrics };
  };

  it('is the mean over prompts of the mean over their pairs, ties left out', async () => {
    const { loss: value, metrics } = await lossAndGradients(scalarModel, loss, answerBatch(groups, { time: 24, pad }));
    const margins = groups.map((group) => {
      const scores = group.map(({ ids }) => referenceScores(scalarModel, ids).at(-1)!);
      return group.flatMap((a, i) => group.flatMap((b, j) => (a.score > b.score ? [scores[i]! - scores[j]!] : [])));
    });
    const minusLogSigmoid = (margin: number): number => Math.log1p(Math.exp(-margin));
    expect(value).toBeAllClose(mean(margins.map((own) => mean(own.map(minusLogSigmoid)))), { rtol: 1e-5 });
    expect(metrics['accuracy']).toBeAllClose(mean(margins.map((own) => mean(own.map((m) => Number(m > 0))))));
    expect(metrics['margin']).toBeAllClose(mean(margins.map(mean)), { atol: 1e-5, rtol: 1e-4 });
  });

  it('and its gradient do not depend on padding', async () => {
    const tight = await lossAndGradients(scalarModel, loss, answerBatch(groups, { time: 14, pad }));
    const wide = await lossAndGradients(scalarModel, loss, answerBatch(groups, { time: 50, pad: 9 }));
    expect(wide.loss).toBeAllClose(tight.loss, { rtol: 1e-5 });
    expectSameGradients(wide.gradients, tight.gradients);
  });

  it.each([2, 4])('and its gradient do not depend on the split into %d parts', async (count) => {
    const options = { time: 24, pad };
    const whole = await lossAndGradients(scalarModel, loss, answerBatch(groups, options));
    const inParts = await lossAndGradients(scalarModel, loss, answerParts(groups, count, options));
    expect(inParts.loss).toBeAllClose(whole.loss, { rtol: 1e-5 });
    expectSameGradients(inParts.gradients, whole.gradients);
  });
});

describe('the losses of PPO', () => {
  const temperature = 0.7;
  const random = Random.seeded(3);
  const samples = [3, 7, 1, 5].map((length): Learned => {
    const prompt = tokens(random, random.integer(1, 6));
    const response = [...tokens(random, length), eos];
    const some = (scale: number): Float32Array => Float32Array.from(response, () => scale * random.normal());
    const now = referenceAnswerLogProbabilities(language, prompt, response, temperature);
    const values = referenceScores(scalarModel, [...prompt, ...response]).slice(prompt.length - 1, -1);
    return {
      prompt,
      response,
      logProbabilities: Float32Array.from(now, (value) => value + 0.1 * random.normal()),
      referenceLogProbabilities: some(1),
      values: Float32Array.from(values, (value) => value + 0.3 * random.normal()),
      score: 0,
      advantages: some(1),
      returns: some(2),
    };
  });
  const total = samples.flatMap(({ response }) => response).length;
  const objectives = {
    policy: (batch: Parameters<typeof lossAndGradients>[2]) =>
      lossAndGradients(language, policyObjective(config, { temperature, clip: 0.2 }), batch as never),
    value: (batch: Parameters<typeof lossAndGradients>[2]) =>
      lossAndGradients(scalarModel, valueObjective(config, { valueClip: 0.2 }), batch as never),
  };

  it('are means over response tokens of log-probabilities at the temperature and of values before each token', async () => {
    const batch = experienceBatch(samples, { time: 40, pad });
    const policy = await objectives.policy(batch);
    const surrogate = samples.flatMap((sample) =>
      referenceAnswerLogProbabilities(language, sample.prompt, sample.response, temperature).map((now, t) => {
        const ratio = Math.exp(now - sample.logProbabilities[t]!);
        const advantage = sample.advantages[t]!;
        return -Math.min(ratio * advantage, Math.max(0.8, Math.min(1.2, ratio)) * advantage);
      }),
    );
    expect(policy.loss).toBeAllClose(mean(surrogate), { atol: 1e-5, rtol: 1e-4 });
    const value = await objectives.value(batch);
    const errors = samples.flatMap(({ prompt, response, values, returns }) =>
      referenceScores(scalarModel, [...prompt, ...response])
        .slice(prompt.length - 1, -1)
        .map((now, t) => {
          const held = Math.max(values[t]! - 0.2, Math.min(values[t]! + 0.2, now));
          return 0.5 * Math.max((now - returns[t]!) ** 2, (held - returns[t]!) ** 2);
        }),
    );
    expect(value.loss).toBeAllClose(mean(errors), { atol: 1e-5, rtol: 1e-4 });
  });

  it.each(['policy', 'value'] as const)('and their gradients do not depend on padding (%s)', async (which) => {
    const tight = await objectives[which](experienceBatch(samples, { time: 14, pad }));
    const wide = await objectives[which](experienceBatch(samples, { time: 90, pad: 20 }));
    expect(wide.loss).toBeAllClose(tight.loss, { atol: 1e-6, rtol: 1e-5 });
    expectSameGradients(wide.gradients, tight.gradients);
  });

  it.each(['policy', 'value'] as const)('and their gradients do not depend on the split (%s)', async (which) => {
    const batch = experienceBatch([...samples, ...samples, ...samples], { time: 14, pad });
    const parts = experienceParts(batch);
    expect(parts.length).toBeGreaterThan(1);
    const whole = await objectives[which](batch);
    const inParts = await objectives[which](parts);
    expect(inParts.loss).toBeAllClose(whole.loss, { atol: 1e-6, rtol: 1e-5 });
    expectSameGradients(inParts.gradients, whole.gradients);
  });

  it('learn nothing of padding, and of the end token that it comes', async () => {
    const batch = experienceBatch(
      samples.map((sample) => ({
        ...sample,
        advantages: sample.advantages.map((value, t) => (sample.response[t] === eos ? value : 0)),
      })),
      { time: 40, pad },
    );
    expect(batch.weights.data.filter((weight) => weight !== 0)).toHaveLength(total);
    const { gradients } = await objectives.policy(batch);
    const row = (name: string, id: number): Float32Array =>
      gradients[name]!.subarray(id * config.hiddenSize, (id + 1) * config.hiddenSize);
    const isZero = (values: Float32Array): boolean => values.every((value) => value === 0);
    expect(isZero(row('lm_head.weight', eos))).toBe(false);
    // Nothing is predicted after the end, so nobody reads it; nor padding.
    expect(isZero(row('model.embed_tokens.weight', eos))).toBe(true);
    expect(isZero(row('model.embed_tokens.weight', pad))).toBe(true);
    const read = samples.flatMap(({ prompt, response }) => [...prompt, ...response.slice(0, -1)]);
    expect(new Set(read).size).toBeGreaterThan(5);
    for (const id of read) expect(isZero(row('model.embed_tokens.weight', id))).toBe(false);
  });
});
