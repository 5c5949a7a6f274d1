import { saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initEncoder, initLanguageModel } from '@crucible/nn';
import { tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, type Tokenizer, trainBpe, trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import { decoderMethod, headMethod, parseTemplate, promptMethod, type TunedModel } from '@crucible/tuning';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PolicyForTest, startPolicy } from './testing/start-policy.ts';

const labels = ['no', 'yes'];
const words = { no: ['bad'], yes: ['good'] };
const text = 'it was good . it was bad . the red one and the blue two ';
const train = Array.from({ length: 6 }, (_, i) => ({ text: `the red one ${i}`, label: i % 2 }));
const settings = {
  ...{ seed: 1, steps: 2, rows: 4, learningRate: 1e-2, warmupShare: 0, weightDecay: 0, evaluations: 0, threads: 1 },
};
const inputs = Array.from({ length: 70 }, (_, i) => ({ text: ['the red one', 'it was bad', 'blue'][i % 3]! }));

let policy: PolicyForTest;
const tuned: Record<string, TunedModel> = {};
let expected: Record<string, number[][]>;

beforeAll(async () => {
  const pieces = await trainWordPiece([text.repeat(30)], { vocabSize: 120 });
  const encoderConfig = encoderConfigOf(
    { ...mlmDefaults, hiddenSize: 32, layers: 1, heads: 2, maxPositions: 32 },
    pieces.vocabSize,
  );
  const masked = {
    weights: initEncoder(encoderConfig, { kind: 'masked-language' }, Random.seeded(1)),
    ...{ config: encoderConfig, tokenizer: pieces },
  };
  const bytes: Tokenizer = await trainBpe([text.repeat(30)], { vocabSize: 300 });
  const config = { ...tinyLlamaConfig, vocabularySize: bytes.vocabSize };
  const causal = { weights: initLanguageModel(config, Random.seeded(2)), config, tokenizer: bytes, base: 'chat@1' };
  const template = parseTemplate('{text} it was {mask}');
  const data = { labels, train, dev: [] };
  tuned['reviews'] = await headMethod(masked, 'all').train(data, settings);
  tuned['asked'] = await promptMethod(masked, { templates: [template], words, scope: 'all' }).train(data, settings);
  tuned['soft'] = await decoderMethod(causal, 'soft-prompt', { template, words, adapter: { tokens: 3 } }).train(
    data,
    settings,
  );
  expected = {};
  for (const [name, model] of Object.entries(tuned)) expected[name] = await model.predict(inputs);

  policy = await startPolicy();
  const { registry } = policy;
  const publish = (
    name: string,
    kind: 'classifier' | 'masked-language' | 'language' | 'adapter',
    fill: (folder: string) => void,
  ) =>
    registry.publish(
      {
        name,
        stage: 'tune',
        kind,
        step: 0,
        finished: true,
        metrics: {},
        ...(kind === 'adapter' && { parent: 'chat@1' }),
      },
      fill,
    );
  const language = (folder: string): void => {
    saveModel(folder, { kind: 'language', ...causal }, { bos: 0, eos: [1], pad: 0 });
    saveTokenizer(bytes, folder);
  };
  for (const made of [
    await publish('chat', 'language', language),
    await publish('reviews', 'classifier', (folder) => tuned['reviews']!.save(folder)),
    await publish('asked', 'masked-language', (folder) => tuned['asked']!.save(folder)),
  ])
    await policy.announce(made);
  // An encoder that was not tuned with a prompt is served by nobody.
  const plain = await publish('plain', 'masked-language', (folder) => {
    saveModel(folder, { kind: 'masked-language', ...masked }, { pad: 0 });
    saveTokenizer(pieces, folder);
  });
  await policy.client.updateWeights({ model: 'plain', version: 1, uri: plain.uri }).catch(() => undefined);
  const soft = await publish('soft', 'adapter', (folder) => tuned['soft']!.save(folder));
  await policy.client.loadAdapter({ model: 'chat', adapter: 'soft', version: 1, uri: soft.uri });
}, 120_000);
afterAll(async () => {
  for (const model of Object.values(tuned)) await model.dispose();
  await policy[Symbol.asyncDispose]();
});

describe('Classify', () => {
  it.each([
    ['a head', 'reviews', 'reviews'],
    ['a prompted encoder', 'asked', 'asked'],
    ['a soft prompt of a language model', 'chat:soft', 'soft'],
  ])('answers by %s as the lab did', { timeout: 60_000 }, async (_what, model, name) => {
    const answer = await policy.client.classify({ model, inputs });
    expect(answer).toMatchObject({ labels, version: 1 });
    expect(answer.classifications).toHaveLength(inputs.length);
    answer.classifications.forEach(({ label, probabilities }, i) => {
      probabilities.forEach((value, n) => expect(value).toBeCloseTo(expected[name]![i]![n]!, 4));
      expect(label).toBe(labels[probabilities.indexOf(Math.max(...probabilities))]);
    });
  });

  it('is told of by GetModelInfo, and the default stays the model that writes', async () => {
    const { models, defaultModel } = await policy.client.getModelInfo({});
    expect(models.map(({ name, kind, labels: own }) => [name, kind, own])).toEqual([
      ['asked', 'masked-language', labels],
      ['chat', 'language', []],
      ['chat:soft', 'adapter', labels],
      ['reviews', 'classifier', labels],
    ]);
    expect(defaultModel).toBe('chat');
  });

  it.each([
    [{ model: 'reviews', inputs: [] }, 'inputs', 'inputs: 0 are given; 1 to 1024 are allowed'],
    [
      { model: 'reviews', inputs: [{ text: 'a' }, { text: ' ' }] },
      'inputs[1].text',
      'inputs[1].text: at least one character is needed',
    ],
    [
      { model: 'chat', inputs: [{ text: 'a' }] },
      'model',
      'model chat does not classify: it was not tuned for labels; crucible tune does',
    ],
  ])('refuses %j', async (request, at, message) => {
    await expect(policy.client.classify(request)).rejects.toMatchObject({ code: 'invalid-input', at, message });
  });

  it('names the models that there are, and not one that was never tuned', async () => {
    await expect(policy.client.classify({ model: 'plain', inputs: [{ text: 'a' }] })).rejects.toMatchObject({
      code: 'not-found',
      message: 'model plain is not served; served are asked, chat, chat:soft, reviews',
    });
  });

  it('does not write', async () => {
    const message = 'model reviews is a classifier model, which does not write; Classify is what it answers';
    await expect(policy.generate({ model: 'reviews', promptTokenIds: [1] })).rejects.toMatchObject({ message });
    await expect(
      policy.client.score({ model: 'reviews', sequences: [{ promptTokenIds: [1], completionTokenIds: [2] }] }),
    ).rejects.toMatchObject({ message });
  });

  it('answers from what was published last, and from nothing that was taken away', { timeout: 60_000 }, async () => {
    const made = await policy.registry.publish(
      { name: 'reviews', stage: 'tune', kind: 'masked-language', step: 0, finished: true, metrics: {} },
      (folder) => tuned['asked']!.save(folder),
    );
    await policy.announce(made);
    const answer = await policy.client.classify({ model: 'reviews', inputs });
    expect(answer.version).toBe(2);
    expect(answer.classifications[0]!.probabilities[0]).toBeCloseTo(expected['asked']![0]![0]!, 4);
    await policy.client.unloadAdapter({ model: 'chat', adapter: 'soft' });
    await expect(policy.client.classify({ model: 'chat:soft', inputs })).rejects.toMatchObject({ code: 'not-found' });
  });
});
