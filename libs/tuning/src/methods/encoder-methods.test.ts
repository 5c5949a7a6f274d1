import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, readSafetensors } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { SequenceEncoder } from '@crucible/inference';
import { countParameters } from '@crucible/optim';
import { temporaryFolder } from '@crucible/testing';
import { loadTokenizer } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import { accuracyOf, type TuneSettings } from '../method.ts';
import { EncoderClassifier } from '../encoder-classifier.ts';
import { generateTemplates } from '../generate-templates.ts';
import { logitsOf, type MaskedModel, promptOf, promptTask } from '../prompt-model.ts';
import { findLabelWords, findTriggers, rankTemplates } from '../search.ts';
import type { LabelledText } from '../task.ts';
import { parseTemplate, TemplateEncoder } from '../template.ts';
import { tinyEncoder } from '../testing/tiny-encoder.ts';
import { createVerbalizer } from '../verbalizer.ts';
import { headMethod } from './head.ts';
import { promptMethod } from './prompt.ts';

let model: MaskedModel;
let data: { labels: string[]; train: LabelledText[]; dev: LabelledText[] };
beforeAll(async () => {
  model = await tinyEncoder();
  const random = Random.seeded(1);
  const colours = [
    ['red', 'one', 'plot'],
    ['blue', 'two', 'scene'],
  ] as const;
  const draw = (count: number): LabelledText[] =>
    Array.from({ length: count }, (_, i) => {
      const words = [random.pick(colours[i % 2]!), 'the', 'film', random.pick(['a', 'very', 'all'])];
      return { text: random.shuffled(words).join(' '), label: i % 2 };
    });
  data = { labels: ['no', 'yes'], train: draw(48), dev: draw(24) };
});

const settings: TuneSettings = {
  ...{ seed: 1, steps: 40, rows: 16, learningRate: 5e-3, warmupShare: 0.1, weightDecay: 0, evaluations: 2 },
  threads: 1,
};
const template = parseTemplate('{text} . it was {mask} .');
const words = { no: ['bad', 'terrible'], yes: ['good'] };

const zeroShot = (source: string, more: object = {}) =>
  promptMethod(model, { templates: [parseTemplate(source)], words, scope: 'none', ...more });

describe('a new head', () => {
  it('learns the task with all of the encoder, and its folder gives the same labels elsewhere', async () => {
    const tuned = await headMethod(model, 'all').train(data, settings);
    const probabilities = await tuned.predict(data.dev);
    expect(accuracyOf(probabilities, data.dev)).toBeGreaterThan(0.9);
    expect(tuned.trainedParameters).toBe(tuned.allParameters);
    const folder = temporaryFolder();
    tuned.save(folder);
    const loaded = loadModel(folder);
    expect(loaded).toMatchObject({ kind: 'classifier', labels: ['no', 'yes'] });
    const tokenizer = loadTokenizer(folder);
    const encoder = new SequenceEncoder(loaded.weights, model.config, { kind: 'classifier' });
    const logits = await encoder.encode(data.dev.map(({ text }) => ({ ids: tokenizer.tokenize(text).ids })));
    logits.forEach(([a, b], i) => expect(1 / (1 + Math.exp(a! - b!))).toBeCloseTo(probabilities[i]![1]!, 4));
    await encoder.dispose();
    await tuned.dispose();
  });

  it('hides words while it learns, where it is told to', async () => {
    const all = await headMethod(model, 'all').train(data, { ...settings, steps: 3, hiddenShare: 1 });
    const plain = await headMethod(model, 'all').train(data, { ...settings, steps: 3 });
    const [a, b] = [await all.predict(data.dev), await plain.predict(data.dev)];
    expect(a).not.toEqual(b);
    // Whoever sees nothing but masks learns how frequent labels are, and tells no text from another.
    const spread = (rows: readonly (readonly number[])[]): number =>
      Math.max(...rows.map((row) => row[0]!)) - Math.min(...rows.map((row) => row[0]!));
    expect(spread(a)).toBeLessThan(spread(b));
    await all.dispose();
    await plain.dispose();
  });

  it('alone trains the head and leaves the encoder as it is', async () => {
    const tuned = await headMethod(model, 'head').train(data, { ...settings, steps: 3 });
    const { hiddenSize } = model.config;
    // The pooler and two labels
    expect(tuned.trainedParameters).toBe(hiddenSize * hiddenSize + hiddenSize + 2 * hiddenSize + 2);
    const folder = temporaryFolder();
    tuned.save(folder);
    const { weights } = loadModel(folder);
    const { embeddings, encoder } = weights['bert'] as Record<string, unknown>;
    const { embeddings: before, encoder: alike } = model.weights['bert'] as Record<string, unknown>;
    expect({ embeddings, encoder }).toEqual({ embeddings: before, encoder: alike });
    await tuned.dispose();
  });
});

describe('a prompt', () => {
  it('says without training what the masked language model says of the label words', async () => {
    const tuned = await zeroShot('{text} . it was {mask} .').train(data, settings);
    const [[no, yes] = []] = await tuned.predict(data.dev);
    expect(no! + yes!).toBeCloseTo(1, 6);
    expect(tuned.trainedParameters).toBe(0);

    // By the whole vocabulary's logits, and in plain arithmetic.
    const { findable, logitsAt } = await wholeLogits(data.dev[0]!.text);
    const score = (word: string): number => logitsAt[findable(word)]!;
    const expected = 1 / (1 + Math.exp((score('bad') + score('terrible')) / 2 - score('good')));
    expect(yes).toBeCloseTo(expected, 5);
    await tuned.dispose();
  });

  async function wholeLogits(text: string) {
    const { EncoderClassifier } = await import('../encoder-classifier.ts');
    const { logitsOf } = await import('../prompt-model.ts');
    const { tokenizer, config, weights } = model;
    const ids = tokenizer.encodeWithSpecialTokens(`[CLS] ${text} . it was [MASK] . [SEP]`);
    const reader = new EncoderClassifier({
      config,
      learned: {},
      frozen: weights,
      scores: (_none, frozen, inputs) => logitsOf(frozen, config, inputs),
    });
    const [logitsAt] = await reader.scores([{ ids, at: ids.indexOf(tokenizer.maskId!) }]);
    await reader.dispose();
    return { logitsAt: logitsAt!, findable: (word: string): number => tokenizer.tokenToId(word)! };
  }

  it('is calibrated by what it says of nothing', async () => {
    const plain = await zeroShot('{text} {mask}').train(data, settings);
    const corrected = await zeroShot('{text} {mask}', { calibration: 'empty' }).train(data, settings);
    const prior = (await plain.predict(['', '.', 'it'].map((text) => ({ text })))).map(([no]) => no!);
    const mean = prior.reduce((sum, each) => sum + each, 0) / 3;
    const [[before] = []] = await plain.predict(data.dev);
    const [[after, other] = []] = await corrected.predict(data.dev);
    const divided = [before! / mean, (1 - before!) / (1 - mean)];
    expect(after).toBeCloseTo(divided[0]! / (divided[0]! + divided[1]!), 5);
    expect(after! + other!).toBeCloseTo(1, 6);
    await plain.dispose();
    await corrected.dispose();
  });

  it('is learned through the head that was there, and saved with its template and words', async () => {
    const method = promptMethod(model, { templates: [template], words, scope: 'all' });
    const tuned = await method.train(data, settings);
    const probabilities = await tuned.predict(data.dev);
    expect(accuracyOf(probabilities, data.dev)).toBeGreaterThan(0.9);
    expect(tuned.trainedParameters).toBe(countParameters(model.weights));
    const folder = temporaryFolder();
    tuned.save(folder);
    const loaded = loadModel(folder);
    expect(loaded.kind).toBe('masked-language');
    const saved = JSON.parse(readFileSync(join(folder, 'prompt.json'), 'utf8')) as { template: string };
    expect(saved).toEqual({ labels: data.labels, template: template.source, words, severalTokens: 'mean' });
    const reloaded = { ...model, weights: loaded.weights };
    const again = await promptMethod(reloaded, { templates: [template], words, scope: 'none' }).train(data, settings);
    expect(await again.predict(data.dev)).toEqual(probabilities);
    await tuned.dispose();
    await again.dispose();
  });

  it('learns virtual tokens alone, and they change what it says', async () => {
    const soft = parseTemplate('{text} {soft:3} {soft:it was} {mask}');
    const tuned = await promptMethod(model, { templates: [soft], words, scope: 'soft' }).train(data, {
      ...settings,
      learningRate: 0.05,
    });
    const { hiddenSize } = model.config;
    expect(tuned.trainedParameters).toBe(5 * hiddenSize);
    expect(tuned.allParameters).toBe(countParameters(model.weights) + 5 * hiddenSize);
    const untuned = await promptMethod(model, { templates: [soft], words, scope: 'none' }).train(data, settings);
    const loss = (rows: number[][]): number =>
      rows.reduce((sum, row, i) => sum - Math.log(row[data.train[i]!.label]!), 0) / rows.length;
    expect(loss(await tuned.predict(data.train))).toBeLessThan(loss(await untuned.predict(data.train)) - 0.01);
    const folder = temporaryFolder();
    tuned.save(folder);
    expect(loadModel(folder).weights).toEqual(model.weights);
    const { tensors } = readSafetensors(join(folder, 'soft_prompt.safetensors'));
    expect(tensors.get('soft_prompt')?.shape).toEqual([5, hiddenSize]);
    expect(existsSync(join(folder, 'prompt.json'))).toBe(true);
    await tuned.dispose();
    await untuned.dispose();
  });

  it.each(['mlp', 'lstm'] as const)('virtual tokens through an %s learn, and are kept without it', async (kind) => {
    const soft = parseTemplate('{soft:2} {text} {mask}');
    const width = 8;
    const method = promptMethod(model, {
      ...{ templates: [soft], words, scope: 'soft', reparametrization: { kind, width } },
    });
    const [before, after] = [
      await zeroShot('{soft:2} {text} {mask}').train(data, settings),
      await method.train(data, { ...settings, learningRate: 1e-2 }),
    ];
    const loss = (rows: readonly (readonly number[])[]): number =>
      rows.reduce((sum, row, i) => sum - Math.log(row[data.train[i]!.label]!), 0) / rows.length;
    const rows = await after.predict(data.train);
    expect(loss(rows)).toBeLessThan(loss(await before.predict(data.train)));
    const { hiddenSize } = model.config;
    expect(after.trainedParameters).toBeGreaterThan(2 * hiddenSize + 2 * width * hiddenSize);
    // Without the network the kept tokens say the same.
    const folder = temporaryFolder();
    after.save(folder);
    const kept = readSafetensors(join(folder, 'soft_prompt.safetensors')).tensors.get('soft_prompt')!;
    expect(kept.shape).toEqual([2, hiddenSize]);
    const task = promptTask(model, createVerbalizer(data.labels, words, model.tokenizer), kept, 'none');
    const encoder = new TemplateEncoder(soft, model.tokenizer, { kind: 'masked', longest: model.config.maxPositions });
    const plain = new EncoderClassifier(task, 1);
    const again = await plain.probabilities(
      data.train.map((example) => promptOf(encoder.encode(example), model.config)),
    );
    again.forEach((row, i) => expect(row[0]).toBeCloseTo(rows[i]![0]!, 4));
    for (const one of [before, after, plain]) await one.dispose();
  });

  it('an ensemble is the mean of its templates', async () => {
    const sources = ['{text} {mask}', 'it was {mask} . {text}'];
    const each = await Promise.all(sources.map((source) => zeroShot(source).train(data, settings)));
    const both = await zeroShot(sources[0]!, { templates: sources.map(parseTemplate) }).train(data, settings);
    const [a, b] = await Promise.all(each.map((one) => one.predict(data.dev)));
    const together = await both.predict(data.dev);
    together.forEach((row, i) => expect(row[0]).toBeCloseTo((a![i]![0]! + b![i]![0]!) / 2, 6));
    for (const one of [...each, both]) await one.dispose();
  });

  it('without virtual tokens has nothing to learn of them', async () => {
    await expect(
      promptMethod(model, { templates: [template], words, scope: 'soft' }).train(data, settings),
    ).rejects.toThrow('template: it has no {soft} tokens, and nothing else is to be learned');
  });
});

describe('searches', () => {
  it('triggers lower the loss that they are searched by, and are words of the vocabulary', async () => {
    const few = { ...data, train: data.train.slice(0, 30) };
    const {
      template: found,
      before,
      after,
    } = await findTriggers(model, words, few, {
      ...{ count: 2, steps: 4, candidates: 6, seed: 3, threads: 1 },
    });
    expect(after).toBeLessThan(before);
    expect(found.source).toMatch(/^\{text\} \p{L}+ \p{L}+ \{mask\}$/u);
    // The loss is that of the template itself.
    const tuned = await promptMethod(model, { templates: [found], words, scope: 'none' }).train(data, settings);
    const rows = await tuned.predict(few.train);
    const loss = rows.reduce((sum, row, i) => sum - Math.log(row[few.train[i]!.label]!), 0) / rows.length;
    expect(loss).toBeCloseTo(after, 4);
    await tuned.dispose();
  });

  /** Of examples that nothing was searched with. */
  const devLoss = async (source: string): Promise<number> => {
    const tuned = await zeroShot(source).train(data, settings);
    const rows = await tuned.predict(data.dev);
    await tuned.dispose();
    return rows.reduce((sum, row, i) => sum - Math.log(row[data.dev[i]!.label]!), 0) / rows.length;
  };
  const vocabulary = 'film great bad terrible plot actor and very all blue green two'.split(' ');

  it('triggers do better on dev than random words', async () => {
    const { template: found } = await findTriggers(model, words, data, {
      ...{ count: 2, steps: 6, candidates: 8, seed: 3, threads: 1 },
    });
    const random = Random.seeded(8);
    const others: number[] = [];
    for (let i = 0; i < 6; i++)
      others.push(await devLoss(`{text} ${random.pick(vocabulary)} ${random.pick(vocabulary)} {mask}`));
    expect(await devLoss(found.source)).toBeLessThan(Math.min(...others));
  });

  it('templates that the model writes are what it finds likeliest between texts and label words', async () => {
    const few = { ...data, train: data.train.slice(0, 12) };
    const written = await generateTemplates(model, words, few, {
      count: 30,
      beam: 3,
      examples: 12,
      seed: 1,
      threads: 1,
    });
    expect(new Set(written.map(({ template: { source } }) => source)).size).toBe(written.length);
    expect(written.length).toBeGreaterThan(20);
    for (const { template: one } of written) expect(one.parts.filter(({ kind }) => kind === 'mask')).toHaveLength(1);
    // The first is of one word before the mask: the likeliest of all words there, in the mean.
    const [{ template: first, score }] = written as [(typeof written)[number]];
    const [, word] = /^\{text\} ?(\S+) \{mask\}$/.exec(first.source)!;
    const { tokenizer, config } = model;
    const encoder = new TemplateEncoder(parseTemplate('{text} {soft} {mask}'), tokenizer, {
      kind: 'masked',
      longest: 32,
    });
    const reader = new EncoderClassifier({
      ...{ config, learned: {}, frozen: model.weights },
      scores: (_learned, frozen, inputs) => logitsOf(frozen, config, inputs),
    });
    const rows = await reader.scores(
      few.train.map((example) => {
        const { ids, softAt, maskAt } = encoder.encode(example);
        const label = example.label === 0 ? 'bad' : 'good';
        return {
          ids: ids.with(softAt[0]!, tokenizer.maskId!).with(maskAt, tokenizer.tokenToId(label)!),
          at: softAt[0]!,
        };
      }),
    );
    await reader.dispose();
    const meanOf = (id: number): number =>
      rows.reduce((sum, row) => sum + row[id]! - Math.log(row.reduce((all, x) => all + Math.exp(x), 0)), 0) /
      rows.length;
    expect(meanOf(tokenizer.tokenToId(word!)!)).toBeCloseTo(score, 3);
    for (const other of vocabulary) expect(meanOf(tokenizer.tokenToId(other)!)).toBeLessThanOrEqual(score + 1e-4);
  });

  it('label words are those that the examples of a label make likelier', async () => {
    const found = await findLabelWords(model, template, data, { count: 3 });
    expect(Object.keys(found)).toEqual(['no', 'yes']);
    expect(found['no']).toHaveLength(3);
    const tuned = await promptMethod(model, { templates: [template], words: found, scope: 'none' }).train(
      data,
      settings,
    );
    const rows = await tuned.predict(data.train);
    const mean = (label: number): number => {
      const own = rows.filter((_row, i) => data.train[i]!.label === label);
      return own.reduce((sum, row) => sum + row[0]!, 0) / own.length;
    };
    expect(mean(0)).toBeGreaterThan(mean(1));
    await tuned.dispose();
  });

  it('templates are ranked by what they do on dev', async () => {
    const templates = ['{text} {mask}', 'all in all {mask} : {text}'].map(parseTemplate);
    const methodOf = (one: (typeof templates)[number]) =>
      promptMethod(model, { templates: [one], words, scope: 'none' });
    const ranked = await rankTemplates(templates, methodOf, data, settings);
    expect(ranked.map(({ accuracy }) => accuracy)).toEqual(
      ranked.map(({ accuracy }) => accuracy).toSorted((a, b) => b - a),
    );
    for (const [i, { accuracy, logLoss }] of ranked.slice(1).entries())
      if (accuracy === ranked[i]!.accuracy) expect(logLoss).toBeGreaterThanOrEqual(ranked[i]!.logLoss);
    const first = await methodOf(ranked[0]!.template).train(data, settings);
    expect(ranked[0]!.accuracy).toBe(accuracyOf(await first.predict(data.dev), data.dev));
    await first.dispose();
  });
});
