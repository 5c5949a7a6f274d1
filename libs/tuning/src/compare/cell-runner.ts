/** Measures cells one after the other: loads models, texts and tasks when they are first needed, and keeps them. */
import { loadModel } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import { invalidInput, Random } from '@crucible/foundation';
import { countParameters } from '@crucible/optim';
import { loadTokenizer } from '@crucible/tokenizer';
import { adapterDefaults, newAdapter, readCorpora } from '@crucible/training';
import type { ChangedModel, Method, TuneContext, TunedModel, TuneSettings } from '../method.ts';
import { classificationFigures, mostProbable } from '../metrics.ts';
import { inContextMethod } from '../methods/decoder.ts';
import { instructionTemplate } from '../methods/instruction.ts';
import { promptMethod } from '../methods/prompt.ts';
import { kShot, type LabelledText, readTask, type TaskData, worldTask } from '../task.ts';
import { parseTemplate } from '../template.ts';
import { hiddenShareOf, methods, prepareMethod, type TuneModel } from '../tune.ts';
import type { LabelWords } from '../verbalizer.ts';
import { causalBaseLoss, maskedBaseLoss } from './base-loss.ts';
import { type EqualSizes, learns, measuresBase } from './cells.ts';
import {
  type Cell,
  type CellResult,
  type ComparedModel,
  type ComparedTask,
  type Comparison,
  defaultTemplates,
  type ModelRole,
  type TransferResult,
} from './comparison.ts';

/** Seed of how a task is split and cut down; the same for every cell. */
const splitSeed = 0;
/** Texts that learning rates are chosen by, at most. */
const mostDev = 200;
/** Held-out documents of the built-in world that base losses are measured on. */
const worldDocuments = 400;
/** What the base task and the other tasks are measured on is the same for all. */
const untrained: Omit<TuneSettings, 'seed'> = {
  ...{ steps: 0, rows: 1, learningRate: 0, warmupShare: 0, weightDecay: 0, evaluations: 0, threads: 0 },
};

/** A task as it is in a comparison: what is measured on is cut down, and every label has its words. */
interface OpenedTask extends TaskData {
  readonly words: LabelWords;
  readonly templates: Readonly<Record<ModelRole, string>>;
}

/** All of a task, split as it is for every cell. */
export async function readComparedTask({ name, source }: Pick<ComparedTask, 'name' | 'source'>): Promise<TaskData> {
  return 'world' in source ? worldTask(source.world, splitSeed) : readTask(name, source.files, splitSeed);
}

async function openTask(
  { name, source, words, templates }: ComparedTask,
  { testTexts }: Pick<Comparison['settings'], 'testTexts'>,
): Promise<OpenedTask> {
  const data = await readComparedTask({ name, source });
  const cut = (part: readonly LabelledText[], most: number, what: string): readonly LabelledText[] =>
    part.length <= most ? part : Random.seeded(splitSeed).fork(what).sample(part, most);
  const asked = words ?? Object.fromEntries(data.labels.map((label) => [label, [label]]));
  const hasPairs = data.train.some(({ pair }) => pair !== undefined);
  return {
    ...data,
    name,
    dev: cut(data.dev, mostDev, 'dev'),
    test: cut(data.test, testTexts, 'test'),
    words: asked,
    templates: {
      ...defaultTemplates,
      instructed: instructionTemplate(data.labels, asked, hasPairs).source,
      ...templates,
    },
  };
}

export class CellRunner {
  readonly #comparison: Comparison;
  readonly #models = new Map<string, TuneModel>();
  readonly #tasks = new Map<ComparedTask, Promise<OpenedTask>>();
  #texts: readonly string[] | undefined;

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
  }

  /** The task that is learned. */
  get task(): Promise<OpenedTask> {
    return this.#task(this.#comparison.task);
  }

  /**
   * Checks, before any training, that templates and label words suit all models, and that there are enough examples; loads
   * every model once.
   */
  async assertFits(): Promise<void> {
    const { settings, transfer, models } = this.#comparison;
    const task = await this.task;
    for (const k of settings.shots) if (k !== 'all') kShot(task.train, task.labels, k, splitSeed);
    for (const model of models) {
      for (const own of [task, ...(await Promise.all(transfer.map((one) => this.#task(one))))]) {
        const asked = this.#asked(model, own, model.role);
        await (await asked.train({ ...own, train: [] }, { ...untrained, seed: 0 })).dispose();
      }
    }
  }

  /** Sizes with which the adapters of the first decoder have about as many parameters as LoRA of rank 1. */
  async equalSizes(): Promise<EqualSizes | undefined> {
    const decoder = this.#comparison.models.find(({ role }) => role === 'decoder');
    if (!decoder) return undefined;
    const { model, tokenizer } = this.#model(decoder);
    if (model.kind !== 'language') return undefined;
    const count = async (kind: 'lora' | 'prefix' | 'prompt'): Promise<number> => {
      const adapter = await newAdapter(
        { ...adapterDefaults, kind, rank: 1, tokens: 1 },
        {
          ...{ base: model.weights, config: model.config, head: { kind: 'language' }, seed: 0 },
          encode: (text) => tokenizer.encode(text),
        },
      );
      return countParameters(adapter!.parameters);
    };
    const parameters = await count('lora');
    const most = Math.floor(model.config.maxPositions / 4);
    const tokens = async (kind: 'prefix' | 'prompt'): Promise<number> =>
      Math.max(1, Math.min(most, Math.round(parameters / (await count(kind)))));
    const sizes = { lora: 1, prefix: await tokens('prefix'), 'soft-prompt': await tokens('prompt') };
    const wanted = Object.entries(sizes).filter(([name]) => this.#comparison.settings.methods.includes(name as 'lora'));
    return { parameters, tokens: Object.fromEntries(wanted) };
  }

  async run(cell: Cell, context: TuneContext = {}): Promise<CellResult> {
    const start = performance.now();
    const { settings, transfer } = this.#comparison;
    const compared = this.#comparison.models.find(({ name }) => name === cell.model);
    if (!compared) throw new Error(`internal: a cell of the model ${cell.model}, which is not compared`);
    const task = await this.task;
    const { threads } = settings;
    const train =
      cell.shots === 'all' ? task.train : cell.shots === 0 ? [] : kShot(task.train, task.labels, cell.shots, cell.seed);
    const isLearned = learns(cell.method);
    const tuning: TuneSettings = {
      seed: cell.seed,
      steps: isLearned ? (cell.shots === 'all' ? settings.allSteps : settings.steps) : 0,
      rows: Math.max(1, Math.min(settings.rows, train.length)),
      learningRate: methods[cell.method].rates[compared.isImported ? 1 : 0] * cell.rate,
      warmupShare: 0.1,
      weightDecay: 0.01,
      // What is best on the way is not looked for: not every method could, and few examples leave little to look with.
      evaluations: 0,
      threads,
      hiddenShare: hiddenShareOf(cell.method, { isImported: compared.isImported, hasAll: cell.shots === 'all' }),
    };
    const method = await this.#method(cell, compared, task, { ...task, train });
    const tuned = await method.train({ labels: task.labels, train, dev: [] }, tuning, context);
    const trainSeconds = (performance.now() - start) / 1000;
    try {
      const measured = cell.part === 'rate' ? task.dev : task.test;
      const probabilities = await tuned.predict(measured);
      const labels = measured.map(({ label }) => label);
      const base = measuresBase(cell, settings)
        ? {
            baseLoss: await this.#baseLoss(compared, tuned.changed?.()),
            transfer: await this.#transfer(compared, task, tuned, transfer),
          }
        : {};
      return {
        cell,
        model: compared.role,
        figures: classificationFigures(probabilities, labels),
        right: rightOf(probabilities, labels),
        learningRate: tuning.learningRate,
        steps: tuning.steps,
        trainedParameters: isLearned ? tuned.trainedParameters : 0,
        allParameters: tuned.allParameters,
        trainSeconds,
        seconds: (performance.now() - start) / 1000,
        ...base,
      };
    } finally {
      await tuned.dispose();
    }
  }

  async #method(cell: Cell, compared: ComparedModel, task: OpenedTask, own: TaskData): Promise<Method> {
    const { method, shots, seed, size } = cell;
    const template = task.templates[cell.asked ?? compared.role];
    const prepared = await prepareMethod(
      this.#model(compared),
      own,
      {
        method,
        seeds: [seed],
        words: task.words,
        // Virtual tokens of an encoder are part of its template, which has some of its own.
        ...(method !== 'soft-tokens' && { templates: [template] }),
        ...(typeof shots === 'number' && { shots }),
        ...(size !== undefined && { adapter: method === 'lora' ? { rank: size } : { tokens: size } }),
      },
      seed,
      this.#comparison.settings.threads,
    );
    return prepared.method;
  }

  #asked(compared: ComparedModel, task: OpenedTask, asked: ModelRole, changed?: ChangedModel): Method {
    const { model, tokenizer, name } = this.#model(compared);
    const template = parseTemplate(task.templates[asked]);
    const { words } = task;
    if (model.kind === 'masked-language') {
      const masked = { weights: changed?.weights ?? model.weights, config: model.config, tokenizer };
      return promptMethod(masked, { templates: [template], words, scope: 'none' });
    }
    if (model.kind !== 'language') throw new Error('internal: a model of this kind was let through');
    const causal = { weights: model.weights, ...changed, config: model.config, tokenizer, base: name };
    return inContextMethod(causal, { template, words, shots: 0 });
  }

  async #transfer(
    compared: ComparedModel,
    task: OpenedTask,
    tuned: TunedModel,
    others: readonly ComparedTask[],
  ): Promise<TransferResult[]> {
    const results: TransferResult[] = [];
    for (const each of others) {
      const other = await this.#task(each);
      const isAlike = JSON.stringify(other.labels) === JSON.stringify(task.labels);
      if (!isAlike && !tuned.changed && tuned.trainedParameters > 0) continue;
      const asked = isAlike
        ? tuned
        : await this.#asked(compared, other, compared.role, tuned.changed?.()).train(
            { ...other, train: [] },
            { ...untrained, seed: 0, threads: this.#comparison.settings.threads },
          );
      try {
        const probabilities = await asked.predict(other.test);
        const labels = other.test.map(({ label }) => label);
        const { accuracy } = classificationFigures(probabilities, labels);
        const by = isAlike ? 'trained' : 'words';
        results.push({ task: other.name, by, accuracy, right: rightOf(probabilities, labels) });
      } finally {
        if (asked !== tuned) await asked.dispose();
      }
    }
    return results;
  }

  async #baseLoss(compared: ComparedModel, changed: ChangedModel | undefined): Promise<number> {
    const { model, tokenizer } = this.#model(compared);
    this.#texts ??= this.#baseTexts();
    if (model.kind === 'masked-language')
      return maskedBaseLoss({ config: model.config, tokenizer }, changed?.weights ?? model.weights, this.#texts);
    if (model.kind !== 'language') throw new Error('internal: a model of this kind was let through');
    return causalBaseLoss({ config: model.config, tokenizer }, changed ?? { weights: model.weights }, this.#texts);
  }

  #baseTexts(): readonly string[] {
    const { corpus } = this.#comparison;
    if (corpus !== undefined && corpus.length > 0) return readCorpora(corpus).heldout;
    const world = createWorld({ seed: splitSeed });
    const random = Random.seeded(splitSeed).fork('base texts');
    return Array.from({ length: worldDocuments }, () => world.document(random, 'heldout'));
  }

  #model(compared: ComparedModel): TuneModel {
    const { name, folder, isImported, role } = compared;
    let found = this.#models.get(name);
    if (!found) {
      const model = loadModel(folder);
      const wanted = role === 'encoder' ? 'masked-language' : 'language';
      if (model.kind !== wanted)
        throw invalidInput(`${name} is a model of the kind ${model.kind}; one of the kind ${wanted} is needed`, {
          at: role,
        });
      found = { model, tokenizer: loadTokenizer(folder), name, isImported };
      this.#models.set(name, found);
    }
    return found;
  }

  #task(task: ComparedTask): Promise<OpenedTask> {
    let opened = this.#tasks.get(task);
    if (!opened) {
      opened = openTask(task, this.#comparison.settings);
      this.#tasks.set(task, opened);
    }
    return opened;
  }
}

function rightOf(probabilities: readonly (readonly number[])[], labels: readonly number[]): string {
  return probabilities.map((row, i) => (mostProbable(row) === labels[i] ? '1' : '0')).join('');
}
