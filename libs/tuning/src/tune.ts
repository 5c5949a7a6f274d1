/** One way of adapting one model to one task, by its name, over several seeds: what `crucible tune` runs. */
import type { SavedModel } from '@crucible/checkpoint';
import { invalidInput } from '@crucible/foundation';
import type { Tokenizer } from '@crucible/tokenizer';
import { adapterDefaults, type AdapterSettings } from '@crucible/training';
import { generateTemplates } from './generate-templates.ts';
import { instructDefaults } from './instructions/instruct.ts';
import type { InstructionTask } from './instructions/instruction-task.ts';
import { holdOut } from './instructions/mixture.ts';
import { clusterOfTask, worldInstructions } from './instructions/world-instructions.ts';
import { type Method, type TuneContext, type TunedModel, type TuneSettings } from './method.ts';
import { type ClassificationFigures, classificationFigures, meanWithInterval, type Share } from './metrics.ts';
import { decoderMethod, inContextMethod } from './methods/decoder.ts';
import { instructionMethod, instructionTemplate } from './methods/instruction.ts';
import { headMethod } from './methods/head.ts';
import { promptMethod } from './methods/prompt.ts';
import type { MaskedModel } from './prompt-model.ts';
import { findLabelWords, findTriggers, rankTemplates } from './search.ts';
import { kShot, type TaskData } from './task.ts';
import { parseTemplate, type Template } from './template.ts';
import type { LabelWords } from './verbalizer.ts';

/** The ways, the kind of model that each is for, and learning rates: for models made here, which are small, and others. */
export const methods = {
  'fine-tuning': { of: 'masked-language', rates: [1e-3, 3e-5], learns: 'a new head, and all of the encoder' },
  'head-only': { of: 'masked-language', rates: [5e-3, 1e-3], learns: 'a new head' },
  prompt: { of: 'masked-language', rates: [1e-3, 3e-5], learns: 'all of the encoder, through label words at the mask' },
  'soft-tokens': { of: 'masked-language', rates: [3e-2, 1e-2], learns: "the template's virtual tokens" },
  'zero-shot': { of: 'masked-language', rates: [0, 0], learns: 'nothing' },
  full: { of: 'language', rates: [1e-3, 2e-5], learns: 'all of the decoder' },
  lora: { of: 'language', rates: [3e-3, 5e-4], learns: 'low-rank changes of its matrices' },
  prefix: { of: 'language', rates: [2e-2, 5e-3], learns: 'keys and values before the prompt' },
  'soft-prompt': { of: 'language', rates: [1e-1, 1e-2], learns: 'embeddings before the prompt' },
  instruction: { of: 'language', rates: [1e-3, 2e-5], learns: 'all of the decoder, by instructions of other tasks' },
  'in-context': { of: 'language', rates: [0, 0], learns: 'nothing; solved examples stand in the prompt' },
} as const satisfies Record<
  string,
  {
    readonly of: 'masked-language' | 'language';
    readonly rates: readonly [ours: number, others: number];
    readonly learns: string;
  }
>;

export type MethodName = keyof typeof methods;

export const methodNames = Object.keys(methods) as MethodName[];

/** The seeds that few-shot results are usually given over (Gao et al. 2021). */
export const usualSeeds: readonly number[] = [13, 21, 42, 87, 100];

export interface TuneModel {
  readonly model: SavedModel;
  readonly tokenizer: Tokenizer;
  /** Its name, or where it is. */
  readonly name: string;
  /** Whether it was trained elsewhere: then learning rates are small. Default: false. */
  readonly isImported?: boolean;
}

export interface TuneOptions {
  readonly method: MethodName;
  /** Examples of each label to learn from, or to show; undefined: all, or none to show. */
  readonly shots?: number;
  readonly seeds: readonly number[];
  /** Default: `defaultTemplate`. */
  readonly templates?: readonly string[];
  /** `auto`: found by the model's own predictions on the training examples. Default: the names of the labels. */
  readonly words?: LabelWords | 'auto';
  /** Trigger words that are looked for and take the place of the template; 0: none. Default: 0. */
  readonly triggers?: number;
  /**
   * Templates that the model writes itself and that are ranked on dev, without training; the best takes the place of the
   * template; 0: none. Default: 0.
   */
  readonly generate?: number;
  /** Default: none. */
  readonly calibration?: 'none' | 'empty' | 'train';
  /** What `instruction` learns. Default: the built-in clusters, without that of the task. */
  readonly instructions?: readonly InstructionTask[];
  /** Virtual tokens, rank, the network that virtual tokens are learned through, and its width. */
  readonly adapter?: Partial<Pick<AdapterSettings, 'tokens' | 'rank' | 'reparametrization' | 'width'>>;
  readonly settings?: Partial<Omit<TuneSettings, 'seed'>>;
}

export const defaultTemplate = '{text} It was {mask}.';

export interface TuneRun {
  readonly seed: number;
  readonly test: ClassificationFigures;
  readonly trainedParameters: number;
  readonly allParameters: number;
  readonly seconds: number;
  readonly templates: readonly string[];
  readonly words: LabelWords;
}

export interface TuneResult {
  readonly method: MethodName;
  readonly runs: readonly TuneRun[];
  /** Mean of the runs with its interval; of a single run, with that of its test examples. */
  readonly accuracy: Share;
  readonly settings: Omit<TuneSettings, 'seed'>;
}

/** Runs a method once a seed and measures it on the test examples. `keep` may save the model of a run. */
export async function tune(
  source: TuneModel,
  data: TaskData,
  options: TuneOptions,
  { keep, ...context }: TuneContext & { readonly keep?: (model: TunedModel, run: TuneRun) => Promise<void> } = {},
): Promise<TuneResult> {
  const { method, shots, seeds } = options;
  if (seeds.length === 0) throw invalidInput('seeds: there is none', { at: 'seeds' });
  assertKind(source, method);
  const runs: TuneRun[] = [];
  const settings = resolveTuneSettings(source, data, options);
  for (const seed of seeds) {
    const start = performance.now();
    const train = shots === undefined ? data.train : kShot(data.train, data.labels, shots, seed);
    // Who has few examples to learn from has few to choose by.
    const dev = shots === undefined ? data.dev : fewOf(data, shots, seed);
    const own = { labels: data.labels, train, dev };
    const prepared = await prepareMethod(source, { ...own, name: data.name }, options, seed, settings.threads, context);
    const tuned = await prepared.method.train(own, { ...settings, seed }, context);
    try {
      const test = classificationFigures(
        await tuned.predict(data.test),
        data.test.map(({ label }) => label),
      );
      const { trainedParameters, allParameters } = tuned;
      const { templates, words } = prepared;
      const seconds = (performance.now() - start) / 1000;
      const run = { seed, test, trainedParameters, allParameters, seconds, templates, words };
      runs.push(run);
      await keep?.(tuned, run);
    } finally {
      await tuned.dispose();
    }
  }
  const accuracy =
    runs.length === 1 ? runs[0]!.test.accuracy : meanWithInterval(runs.map(({ test }) => test.accuracy.value));
  return { method, runs, accuracy, settings };
}

/** What is done where nothing else is said. */
export function resolveTuneSettings(
  { isImported = false }: Pick<TuneModel, 'isImported'>,
  { train, labels }: Pick<TaskData, 'train' | 'labels'>,
  { method, shots, settings, adapter }: Pick<TuneOptions, 'method' | 'shots' | 'settings' | 'adapter'>,
): Omit<TuneSettings, 'seed'> {
  const examples = shots === undefined ? train.length : shots * labels.length;
  // Of instructions there are as many as one likes, and several share a row.
  const isInstruction = method === 'instruction';
  const rows = isInstruction ? (settings?.rows ?? 8) : Math.min(settings?.rows ?? 32, examples);
  const epochs = shots === undefined ? 4 : 20;
  const learns = methods[method].rates[0] > 0;
  return {
    steps: isInstruction
      ? instructDefaults.steps
      : learns
        ? Math.min(1000, Math.max(50, Math.ceil((epochs * examples) / rows)))
        : 0,
    learningRate: isReparametrized(method, adapter) ? networkRate : methods[method].rates[isImported ? 1 : 0],
    warmupShare: 0.1,
    weightDecay: 0.01,
    evaluations: 4,
    threads: 0,
    hiddenShare: hiddenShareOf(method, { isImported, hasAll: shots === undefined }),
    ...settings,
    rows,
  };
}

/**
 * Share of the words that are hidden while an encoder of ours learns from all that there is: it has no dropout, and would
 * learn sentences by heart. Few examples need all of their words.
 */
export function hiddenShareOf(
  method: MethodName,
  { isImported, hasAll }: { readonly isImported: boolean; readonly hasAll: boolean },
): number {
  return hasAll && !isImported && (method === 'fine-tuning' || method === 'prompt') ? 0.2 : 0;
}

/** Of a network that virtual tokens are learned through: one step moves all of them. */
const networkRate = 3e-3;

function isReparametrized(method: MethodName, adapter: TuneOptions['adapter']): boolean {
  const { reparametrization: kind = 'none' } = adapter ?? {};
  const has = method === 'soft-tokens' || method === 'prefix' || method === 'soft-prompt';
  if (kind !== 'none' && !has)
    throw invalidInput(`reparametrization: ${kind} is for virtual tokens; ${method} has none`, {
      at: 'reparametrization',
    });
  return kind !== 'none';
}

function assertKind({ model, name }: TuneModel, method: MethodName): void {
  const { of } = methods[method];
  if (model.kind === of) return;
  const others = methodNames.filter((each) => methods[each].of === model.kind);
  throw invalidInput(
    `${name} is a model of the kind ${model.kind}; ${method} is for one of the kind ${of}${others.length > 0 ? `. For this one there are ${others.join(', ')}` : ''}`,
    { at: 'method' },
  );
}

function fewOf({ dev, labels }: TaskData, shots: number, seed: number) {
  const rarest = Math.min(...labels.map((_label, i) => dev.filter(({ label }) => label === i).length));
  return kShot(dev, labels, Math.min(shots, rarest), seed);
}

interface Prepared {
  readonly method: Method;
  readonly templates: readonly string[];
  readonly words: LabelWords;
}

/** Finds what is to be found from the training examples, and makes the method of it. */
export async function prepareMethod(
  { model, tokenizer, name }: TuneModel,
  own: Pick<TaskData, 'name' | 'labels' | 'train' | 'dev'>,
  options: TuneOptions,
  seed: number,
  threads: number,
  { signal }: TuneContext = {},
): Promise<Prepared> {
  const { method, shots, calibration = 'none' } = options;
  const { weights } = model;
  const named = Object.fromEntries(own.labels.map((label) => [label, [label]]));
  if (model.kind === 'language') {
    if (options.words === 'auto' || (options.triggers ?? 0) > 0 || (options.generate ?? 0) > 0)
      throw invalidInput('words, triggers and templates are searched with encoders alone', { at: 'words' });
    const words = options.words ?? named;
    const hasPairs = own.train.some(({ pair }) => pair !== undefined);
    const templates =
      method === 'instruction' && !options.templates
        ? [instructionTemplate(own.labels, words, hasPairs)]
        : onlyOne(parsed(options.templates), method);
    const causal = { weights, config: model.config, tokenizer, base: name };
    const common = { template: templates[0]!, words };
    const made =
      method === 'in-context'
        ? inContextMethod(causal, {
            ...common,
            shots: shots ?? 0,
            calibration: calibration === 'none' ? 'none' : 'empty',
          })
        : method === 'instruction'
          ? instructionMethod(causal, { ...common, tasks: options.instructions ?? otherClusters(own.name, seed) })
          : decoderMethod(causal, method as 'full', {
              ...common,
              ...(options.adapter && { adapter: options.adapter }),
            });
    return { method: made, templates: templates.map(({ source }) => source), words };
  }
  if (model.kind !== 'masked-language') throw new Error('internal: a model of this kind was let through');
  const masked: MaskedModel = { weights, config: model.config, tokenizer };
  if (method === 'fine-tuning' || method === 'head-only') {
    return { method: headMethod(masked, method === 'head-only' ? 'head' : 'all'), templates: [], words: {} };
  }
  let templates = parsed(
    options.templates ?? (method === 'soft-tokens' ? ['{soft:5} {text} {soft:It was} {mask}.'] : undefined),
  );
  const words =
    options.words === 'auto'
      ? await findLabelWords(masked, templates[0]!, own, { count: 3 })
      : (options.words ?? named);
  if ((options.triggers ?? 0) > 0) {
    const search = { count: options.triggers!, seed, threads, ...(signal && { signal }) };
    templates = [(await findTriggers(masked, words, own, search)).template];
  }
  if ((options.generate ?? 0) > 0)
    templates = [await bestWritten(masked, words, own, options, { seed, threads, signal })];
  const { reparametrization: kind, width } = { ...adapterDefaults, ...options.adapter };
  const scope = ({ prompt: 'all', 'soft-tokens': 'soft', 'zero-shot': 'none' } as const)[method as 'prompt'];
  return {
    method: promptMethod(masked, {
      ...{ templates, words, scope, calibration },
      ...(kind !== 'none' && { reparametrization: { kind, width } }),
    }),
    templates: templates.map(({ source }) => source),
    words,
  };
}

/** The best of the templates that the model writes, on dev, as it is. */
async function bestWritten(
  model: MaskedModel,
  words: LabelWords,
  own: Pick<TaskData, 'labels' | 'train' | 'dev'>,
  { generate, triggers = 0, method }: TuneOptions,
  {
    seed,
    threads,
    signal,
  }: { readonly seed: number; readonly threads: number; readonly signal: AbortSignal | undefined },
): Promise<Template> {
  if (triggers > 0) throw invalidInput('triggers and generate: one of them finds the template', { at: 'generate' });
  if (method === 'soft-tokens')
    throw invalidInput('generate: templates that are written have no {soft} tokens; soft-tokens needs some', {
      at: 'generate',
    });
  const search = { count: generate!, seed, threads, ...(signal && { signal }) };
  const written = await generateTemplates(model, words, own, search);
  const settings = {
    ...{ seed, threads, steps: 0, rows: 1, learningRate: 0 },
    ...{ warmupShare: 0, weightDecay: 0, evaluations: 0 },
  };
  const [best] = await rankTemplates(
    written.map(({ template }) => template),
    (template) => promptMethod(model, { templates: [template], words, scope: 'none' }),
    own,
    settings,
  );
  return best!.template;
}

/** The built-in instructions of other clusters than the task's. */
function otherClusters(task: string, seed: number): readonly InstructionTask[] {
  const cluster = clusterOfTask(task);
  return holdOut(worldInstructions(seed), cluster === undefined ? [] : [cluster]).seen;
}

function parsed(sources: readonly string[] = [defaultTemplate]): Template[] {
  return sources.map(parseTemplate);
}

function onlyOne(templates: Template[], method: MethodName): Template[] {
  if (templates.length === 1) return templates;
  throw invalidInput(`${method} takes one template; ${templates.length} are given`, { at: 'template' });
}
