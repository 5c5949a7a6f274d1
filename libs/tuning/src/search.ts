/** Finding prompts: label words, trigger words and templates, judged by examples. */
import { invalidInput, Random, throwIfCancelled } from '@crucible/foundation';
import { compile, flatten, gradient, isTensor, itemOf, mul, type NdArray } from '@crucible/tensor';
import { predictionLoss } from '@crucible/training';
import { EncoderClassifier, type LabelledPrompt } from './encoder-classifier.ts';
import type { Method, TuneSettings } from './method.ts';
import { classificationFigures } from './metrics.ts';
import {
  initSoftPrompt,
  logitsOf,
  type MaskedModel,
  promptOf,
  promptTask,
  softName,
  wordTable,
} from './prompt-model.ts';
import type { TaskData } from './task.ts';
import { parseTemplate, type Template, TemplateEncoder } from './template.ts';
import { createVerbalizer, type LabelWords, searchLabelWords } from './verbalizer.ts';
import { logSoftmax, wholeWords } from './words.ts';

export interface WordSearchOptions {
  /** Candidates of each label. Default: 10. */
  readonly count?: number;
}

/** Words that the model itself finds likely for the examples of each label and for no others. */
export async function findLabelWords(
  model: MaskedModel,
  template: Template,
  { labels, train }: Pick<TaskData, 'labels' | 'train'>,
  { count = 10 }: WordSearchOptions = {},
): Promise<LabelWords> {
  const { config, tokenizer } = model;
  const encoder = new TemplateEncoder(template, tokenizer, { kind: 'masked', longest: config.maxPositions });
  const soft =
    encoder.softTokens.length === 0 ? undefined : initSoftPrompt(model, encoder.softTokens, Random.seeded(0));
  const reader = new EncoderClassifier({
    config,
    learned: {},
    frozen: { ...model.weights, ...(soft && { [softName]: soft }) },
    scores: (_learned, frozen, inputs) => logitsOf(frozen, config, inputs),
  });
  try {
    const logits = await reader.scores(train.map((example) => promptOf(encoder.encode(example), config)));
    const rows = logits.map(logSoftmax);
    const found = searchLabelWords(
      rows,
      train.map(({ label }) => label),
      labels.length,
      { allowed: wholeWords(model), count },
    );
    return Object.fromEntries(
      labels.map((label, i) => [label, found[i]!.map(({ id }) => tokenizer.decode([id]).trim())]),
    );
  } finally {
    await reader.dispose();
  }
}

export interface TriggerSearch {
  /** Words that are looked for. */
  readonly count: number;
  /** Candidates that are tried for a place in each step. Default: 8. */
  readonly candidates?: number;
  /** Default: 10. */
  readonly steps?: number;
  readonly seed: number;
  /** Threads within an operator; 0: one a core. Default: 0. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

export interface FoundTemplate {
  readonly template: Template;
  /** Mean loss on the examples that were searched with, before and after, in nats. */
  readonly before: number;
  readonly after: number;
}

/** Examples that a candidate is tried on. */
const triggerRows = 32;

/**
 * Gradient-guided search of trigger words (Wallace et al. 2019; Shin et al. 2020, "AutoPrompt"): one place after the other
 * gets, of the words towards whose embeddings the loss falls the most, the one that lowers it in truth. `{text}` comes
 * first, then the words, then the mask.
 */
export async function findTriggers(
  model: MaskedModel,
  words: LabelWords,
  { labels, train }: Pick<TaskData, 'labels' | 'train'>,
  { count, candidates = 8, steps = 10, seed, threads = 0, signal }: TriggerSearch,
): Promise<FoundTemplate> {
  if (!(Number.isInteger(count) && count >= 1)) throw invalidInput(`count: ${count} words`, { at: 'count' });
  const { config, tokenizer, weights } = model;
  const random = Random.seeded(seed).fork('triggers');
  const allowed = wholeWords(model);
  const vocabulary = Array.from({ length: config.vocabularySize }, (_, id) => id).filter(
    (id) => id < tokenizer.vocabSize && allowed(id),
  );
  let trigger = Array.from({ length: count }, () => random.pick(vocabulary));
  const template = parseTemplate(`{text} {soft:${count}} {mask}`);
  const encoder = new TemplateEncoder(template, tokenizer, { kind: 'masked', longest: config.maxPositions });
  const task = promptTask(model, createVerbalizer(labels, words, tokenizer), softOf(model, trigger), 'soft');
  const chosen = random.sample(train, Math.min(triggerRows, train.length));
  const prompts = chosen.map((example): LabelledPrompt => ({
    ...promptOf(encoder.encode(example), config),
    label: example.label,
  }));
  const batch = EncoderClassifier.batchOf(config, prompts);
  const program = await compile(
    { learned: task.learned, frozen: task.frozen, batch },
    ({ learned, frozen, batch: symbols }) => {
      const { targets, weights: shares, ...inputs } = symbols;
      const { loss } = predictionLoss(task.scores(learned, frozen, inputs), targets, shares);
      const [slope] = flatten(gradient<object>(loss, learned), isTensor);
      return { loss, slope: mul(slope!.leaf, 1) };
    },
    { name: 'trigger search', ...(threads > 0 && { threads }) },
  );
  const measure = async (ids: readonly number[]): Promise<{ loss: number; slope: NdArray }> => {
    const { loss, slope } = await program.run({ learned: { [softName]: softOf(model, ids) }, frozen: weights, batch });
    return { loss: itemOf(loss), slope };
  };
  try {
    let current = await measure(trigger);
    const before = current.loss;
    for (let step = 0; step < steps; step++) {
      throwIfCancelled(signal, 'trigger search');
      const place = step % count;
      for (const id of steepest(model, current.slope, place, vocabulary, candidates)) {
        const attempt = trigger.with(place, id);
        const result = await measure(attempt);
        if (result.loss < current.loss) [trigger, current] = [attempt, result];
      }
    }
    const found = trigger.map((id) => tokenizer.decode([id]).trim()).join(' ');
    return { template: parseTemplate(`{text} ${found} {mask}`), before, after: current.loss };
  } finally {
    await program.dispose();
  }
}

function softOf(model: MaskedModel, ids: readonly number[]): NdArray {
  return initSoftPrompt(model, ids, Random.seeded(0));
}

/** The words whose embeddings lie the furthest against the slope: those the first-order estimate of the loss is lowest for. */
function steepest(
  { weights, config }: MaskedModel,
  slope: NdArray,
  place: number,
  vocabulary: readonly number[],
  count: number,
): number[] {
  const { hiddenSize } = config;
  const table = wordTable<NdArray>(weights, config).data as Float32Array;
  const direction = (slope.data as Float32Array).subarray(place * hiddenSize, (place + 1) * hiddenSize);
  const product = (id: number): number => {
    let sum = 0;
    for (let i = 0; i < hiddenSize; i++) sum += table[id * hiddenSize + i]! * direction[i]!;
    return sum;
  };
  return vocabulary
    .map((id) => ({ id, product: product(id) }))
    .sort((a, b) => a.product - b.product)
    .slice(0, count)
    .map(({ id }) => id);
}

export interface RankedTemplate {
  readonly template: Template;
  /** Accuracy on dev. */
  readonly accuracy: number;
  /** Nats of the right label there, in the mean. */
  readonly logLoss: number;
}

/** Templates by how well a method does with each on dev, the best first: by accuracy, and of equals by the loss. */
export async function rankTemplates(
  templates: readonly Template[],
  methodOf: (template: Template) => Method,
  data: Pick<TaskData, 'labels' | 'train' | 'dev'>,
  settings: TuneSettings,
): Promise<RankedTemplate[]> {
  if (data.dev.length === 0) throw invalidInput('dev: there are no examples to rank templates by', { at: 'dev' });
  const ranked: RankedTemplate[] = [];
  for (const template of templates) {
    const model = await methodOf(template).train(data, settings);
    try {
      const { accuracy, logLoss } = classificationFigures(
        await model.predict(data.dev),
        data.dev.map(({ label }) => label),
      );
      ranked.push({ template, accuracy: accuracy.value, logLoss });
    } finally {
      await model.dispose();
    }
  }
  return ranked.sort((a, b) => b.accuracy - a.accuracy || a.logLoss - b.logLoss);
}
