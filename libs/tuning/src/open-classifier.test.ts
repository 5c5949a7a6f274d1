import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { temporaryFolder, tinyLlamaConfig } from '@crucible/testing';
import { trainBpe } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Method, TuneSettings } from './method.ts';
import type { CausalModel } from './methods/causal-reader.ts';
import { decoderMethod, inContextMethod } from './methods/decoder.ts';
import { headMethod } from './methods/head.ts';
import { promptMethod } from './methods/prompt.ts';
import { openClassifier, readLabels } from './open-classifier.ts';
import type { MaskedModel } from './prompt-model.ts';
import type { LabelledText } from './task.ts';
import { parseTemplate } from './template.ts';
import { tinyEncoder } from './testing/tiny-encoder.ts';
import { withoutZeros } from './testing/without-zeros.ts';

const labels = ['no', 'yes'];
const words = { no: ['bad'], yes: ['good', 'great'] };
const train: LabelledText[] = Array.from({ length: 8 }, (_, i) => ({
  text: `the ${i % 2 === 0 ? 'red' : 'blue'} one was ${i % 2 === 0 ? 'bad' : 'good'}`,
  label: i % 2,
}));
const settings: TuneSettings = {
  ...{ seed: 1, steps: 2, rows: 4, learningRate: 1e-2, warmupShare: 0, weightDecay: 0, evaluations: 0, threads: 1 },
};
let masked: MaskedModel;
let causal: CausalModel;

beforeAll(async () => {
  masked = await tinyEncoder();
  const tokenizer = await trainBpe(['the red one was good. the blue two was bad. great '.repeat(40)], {
    vocabSize: 330,
  });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize };
  const weights = withoutZeros(initLanguageModel(config, Random.seeded(1)), Random.seeded(2));
  causal = { weights, config, tokenizer, base: 'tiny@1' };
});

const inputs = [{ text: 'the two was good' }, { text: 'red' }, { text: 'one' }];

async function savedBy(method: Method) {
  const tuned = await method.train({ labels, train, dev: [] }, settings);
  const folder = temporaryFolder();
  tuned.save(folder);
  const expected = await tuned.predict(inputs);
  await tuned.dispose();
  return { folder, expected };
}

describe('what was tuned and kept answers as it did', () => {
  const cases: readonly (readonly [string, () => Method])[] = [
    ['a head', () => headMethod(masked, 'all')],
    [
      'a prompt',
      () => promptMethod(masked, { templates: [parseTemplate('{text} it was {mask}')], words, scope: 'all' }),
    ],
    [
      'virtual tokens, calibrated',
      () =>
        promptMethod(masked, {
          ...{ templates: [parseTemplate('{soft:2} {text} {soft:it was} {mask}')], words, scope: 'soft' },
          calibration: 'empty',
        }),
    ],
    ['all of a decoder', () => decoderMethod(causal, 'full', { template: parseTemplate('{text} was {mask}'), words })],
    [
      'solved examples before the question',
      () =>
        inContextMethod(causal, {
          template: parseTemplate('{text} was {mask}'),
          words,
          shots: 2,
          calibration: 'empty',
        }),
    ],
  ];
  it.each(cases)('%s', { timeout: 60_000 }, async (_what, method) => {
    const { folder, expected } = await savedBy(method());
    expect(readLabels(folder)).toEqual(labels);
    const opened = await openClassifier(folder);
    expect(opened.labels).toEqual(labels);
    const rows = await opened.predict(inputs);
    rows.forEach((row, i) => row.forEach((value, n) => expect(value).toBeCloseTo(expected[i]![n]!, 5)));
    await opened.dispose();
  });

  it.each(['lora', 'prefix', 'soft-prompt'] as const)('%s, beside its model', { timeout: 60_000 }, async (kind) => {
    const { folder, expected } = await savedBy(
      decoderMethod(causal, kind, {
        template: parseTemplate('{text} was {mask}'),
        words,
        adapter: { tokens: 3, rank: 2 },
      }),
    );
    expect(readLabels(folder)).toEqual(labels);
    const opened = await openClassifier(folder, { ...causal, folder });
    const rows = await opened.predict(inputs);
    rows.forEach((row, i) => row.forEach((value, n) => expect(value).toBeCloseTo(expected[i]![n]!, 5)));
    await opened.dispose();
  });
});

describe('what tells no labels apart is named', () => {
  it.each([
    ['{', /prompt\.json: it is not JSON/],
    ['null', /prompt\.json: template, a text, is missing/],
    ['{"template": "{text} {mask}"}', /labels, a list of two names or more, is missing/],
    ['{"template": "{text} {mask}", "labels": ["a", "b"]}', /words, lists by label, are missing/],
    ['{"template": "{text}", "labels": ["no", "yes"], "words": {"no": ["bad"], "yes": ["good"]}}', /template/],
    ['{"template": "{text} {mask}", "labels": ["no", "yes"], "words": {"no": ["bad"]}}', /label "yes" has none/],
    ['{"template": "{text} {mask}", "labels": ["a", "b"], "words": {}, "prior": [1]}', /prior: a number of each label/],
    ['{"template": "{text} {mask}", "labels": ["a", "b"], "words": {}, "shown": [{"text": "x", "label": 7}]}', /shown/],
  ])('%s', async (json, message) => {
    const { folder } = await savedBy(
      inContextMethod(causal, { template: parseTemplate('{text} {mask}'), words, shots: 0 }),
    );
    writeFileSync(join(folder, 'prompt.json'), json);
    await expect(openClassifier(folder)).rejects.toThrow(message);
  });
});
