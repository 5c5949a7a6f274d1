import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAdapter, loadModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { decoderParameters, initLanguageModel, mergeLora } from '@crucible/nn';
import { countParameters } from '@crucible/optim';
import { referenceAnswerLogProbabilities, temporaryFolder, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { type Tokenizer, trainBpe } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import { accuracyOf, type TuneSettings } from '../method.ts';
import type { LabelledText } from '../task.ts';
import { parseTemplate } from '../template.ts';
import { withoutZeros } from '../testing/without-zeros.ts';
import type { CausalModel } from './causal-reader.ts';
import { decoderMethod, inContextMethod } from './decoder.ts';

let model: CausalModel;
let data: { labels: string[]; train: LabelledText[]; dev: LabelledText[] };
beforeAll(async () => {
  const tokenizer = await trainBpe(['the red one was good. the blue two was bad. '.repeat(40)], { vocabSize: 330 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize };
  model = {
    weights: withoutZeros(initLanguageModel(config, Random.seeded(1)), Random.seeded(2)),
    config,
    tokenizer,
    base: 'tiny@1',
  };
  const random = Random.seeded(2);
  const draw = (count: number): LabelledText[] =>
    Array.from({ length: count }, (_, i) => ({
      text: `${random.pick(['the', 'one'])} ${i % 2 === 0 ? 'red' : 'blue'} ${random.pick(['one', 'two'])}`,
      label: i % 2,
    }));
  data = { labels: ['no', 'yes'], train: draw(32), dev: draw(16) };
});

const template = parseTemplate('{text} was {mask}.');
const words = { no: ['bad'], yes: ['good', 'one'] };
const settings: TuneSettings = {
  ...{ seed: 1, steps: 30, rows: 2, learningRate: 1e-2, warmupShare: 0.1, weightDecay: 0, evaluations: 0 },
  threads: 1,
};

/** Nats of the right label in the mean. */
function lossOf(rows: readonly (readonly number[])[], examples: readonly LabelledText[]): number {
  return rows.reduce((sum, row, i) => sum - Math.log(row[examples[i]!.label]!), 0) / rows.length;
}

describe('without training', () => {
  it('a label is as likely as that one of its words comes next', async () => {
    // A tokenizer whose ids a model of 24 tokens has.
    const byLetters = { encode: (text: string) => Array.from(text, (c) => 2 + (c.charCodeAt(0) % 20)) };
    const tokenizer = {
      ...byLetters,
      padId: 0,
      isSpecial: () => false,
      tokenize: (text: string) => ({ ids: byLetters.encode(text), specialTokensMask: Array.from(text, () => 0) }),
    } as unknown as Tokenizer;
    const weights = tinyLlama(3);
    const tiny: CausalModel = { weights, config: tinyLlamaConfig, tokenizer, base: 'tiny' };
    const own = { no: ['bad'], yes: ['good', 'up'] };
    const tuned = await inContextMethod(tiny, { template, words: own, shots: 0 }).train(data, settings);
    const [[no, yes] = []] = await tuned.predict([{ text: 'red' }]);
    const prompt = byLetters.encode('red was');
    const likelihood = (word: string): number =>
      Math.exp(
        referenceAnswerLogProbabilities(weights, prompt, byLetters.encode(` ${word}`)).reduce((a, b) => a + b, 0),
      );
    const [bad, good] = [likelihood('bad'), likelihood('good') + likelihood('up')];
    expect(no).toBeCloseTo(bad / (bad + good), 4);
    expect(yes).toBeCloseTo(good / (bad + good), 4);
    expect(tuned.trainedParameters).toBe(0);
    await tuned.dispose();
  });

  it('solved examples come before the question, as many as fit', async () => {
    const few = await inContextMethod(model, { template, words, shots: 2 }).train(data, settings);
    const none = await inContextMethod(model, { template, words, shots: 0 }).train(data, settings);
    const many = await inContextMethod(model, { template, words, shots: 16 }).train(data, settings);
    const [a, b, c] = [await few.predict(data.dev), await none.predict(data.dev), await many.predict(data.dev)];
    for (const rows of [a, b, c]) for (const row of rows) expect(row[0]! + row[1]!).toBeCloseTo(1, 6);
    for (const one of [few, none, many]) await one.dispose();
  });

  it('calibration by empty inputs adds up to one', async () => {
    const tuned = await inContextMethod(model, { template, words, shots: 0, calibration: 'empty' }).train(
      data,
      settings,
    );
    for (const row of await tuned.predict(data.dev)) expect(row[0]! + row[1]!).toBeCloseTo(1, 6);
    await tuned.dispose();
  });
});

describe('what is learned', () => {
  it.each([
    ['full', 1e-2, 0],
    ['lora', 2e-2, 0],
    ['prefix', 5e-2, 4],
    ['soft-prompt', 1e-1, 4],
  ] as const)('%s lowers the loss, changes only its own numbers and is saved', async (kind, learningRate, tokens) => {
    const options = { template, words, adapter: { rank: 2, ...(tokens > 0 && { tokens }) } };
    const untrained = await inContextMethod(model, { ...options, shots: 0 }).train(data, settings);
    const before = lossOf(await untrained.predict(data.dev), data.dev);
    const tuned = await decoderMethod(model, kind, options).train(data, { ...settings, learningRate });
    const rows = await tuned.predict(data.dev);
    expect(lossOf(rows, data.dev)).toBeLessThan(before);
    const { layers, hiddenSize, keyValueHeads, heads } = tinyLlamaConfig;
    if (kind === 'full') expect(tuned.trainedParameters).toBe(countParameters(model.weights));
    if (kind === 'prefix') expect(tuned.trainedParameters).toBe(4 * layers * 2 * keyValueHeads * (hiddenSize / heads));
    if (kind === 'soft-prompt') expect(tuned.trainedParameters).toBe(4 * hiddenSize);

    const folder = temporaryFolder();
    tuned.save(folder);
    expect(JSON.parse(readFileSync(join(folder, 'prompt.json'), 'utf8'))).toEqual({
      labels: ['no', 'yes'],
      template: template.source,
      words,
    });
    if (kind === 'full') {
      const loaded = loadModel(folder);
      const again = await inContextMethod({ ...model, weights: loaded.weights }, { ...options, shots: 0 }).train(
        data,
        settings,
      );
      expect(await again.predict(data.dev)).toEqual(rows);
      await again.dispose();
    } else {
      expect(existsSync(join(folder, 'adapter_config.json'))).toBe(true);
      const adapter = loadAdapter(folder, { kind: 'language', config: model.config });
      if (adapter.config.kind === 'lora') {
        const specs = decoderParameters(model.config, { kind: 'language' });
        const weights = mergeLora(model.weights, adapter.parameters, adapter.config, specs);
        const merged = await inContextMethod({ ...model, weights }, { ...options, shots: 0 }).train(data, settings);
        (await merged.predict(data.dev)).forEach((row, i) => expect(row[0]).toBeCloseTo(rows[i]![0]!, 3));
        await merged.dispose();
      }
    }
    await untrained.dispose();
    await tuned.dispose();
  });

  it('full tuning gets the labels right', async () => {
    const tuned = await decoderMethod(model, 'full', { template, words }).train(data, { ...settings, steps: 60 });
    expect(accuracyOf(await tuned.predict(data.dev), data.dev)).toBeGreaterThan(0.9);
    await tuned.dispose();
  });

  it('a template with virtual tokens of its own is refused', async () => {
    const soft = parseTemplate('{text} {soft:2} {mask}');
    await expect(decoderMethod(model, 'lora', { template: soft, words }).train(data, settings)).rejects.toThrow(
      'template: virtual tokens of a decoder are those of its adapter; {soft} is for encoders',
    );
  });
});
