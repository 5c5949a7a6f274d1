import { Command, InvalidArgumentError, Option } from 'commander';
import { loadModel, type ModelVersion } from '@crucible/checkpoint';
import { labelledTasks, type LabelledTask, readCorpus, readPromptedTasks } from '@crucible/data';
import { invalidInput } from '@crucible/foundation';
import { loadTokenizer } from '@crucible/tokenizer';
import { reparametrizations } from '@crucible/training';
import {
  clusterOfTask,
  findContamination,
  holdOut,
  type InstructionTask,
  type MethodName,
  methodNames,
  methods,
  readTask,
  rowInstructions,
  type TaskData,
  tune,
  type TunedModel,
  type TuneOptions,
  type TuneResult,
  type TuneSettings,
  usualSeeds,
  worldInstructions,
  worldTask,
} from '@crucible/tuning';
import { announceModel } from '../announce-model.ts';
import { note, print, printJson, settingsFor } from '../context.ts';
import { collectWords } from '../label-words-option.ts';
import { registryOf } from '../registry.ts';
import { collectOption, collectPath, parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

interface TuneCommandOptions {
  readonly model: string;
  readonly method: MethodName;
  readonly task?: LabelledTask;
  readonly data?: string;
  readonly dev?: string;
  readonly test?: string;
  readonly shots?: number;
  readonly seed: number;
  readonly seeds?: number;
  readonly template?: readonly string[];
  readonly words?: Readonly<Record<string, readonly string[]>> | 'auto';
  readonly triggers?: number;
  readonly generate?: number;
  readonly calibrate: 'none' | 'empty' | 'train';
  readonly corpus?: readonly string[];
  readonly instructions?: readonly string[];
  readonly holdOut?: readonly string[];
  readonly set?: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly json?: true;
}

/** Adapts a model to a task of classification, in one of many ways, and says how well it does. */
export function tuneCommand(): Command {
  return new Command('tune')
    .requiredOption('--model <model>', 'NAME or NAME@VERSION: an encoder of `train mlm`, or a language model')
    .addOption(new Option('--method <method>', 'the way; see below').choices([...methodNames]).makeOptionMandatory())
    .addOption(new Option('--task <task>', 'a task of the built-in world').choices(Object.keys(labelledTasks)))
    .option('--data <file>', 'labelled texts of your own, .jsonl or .txt')
    .option('--dev <file>', 'labelled texts to choose by (default: a tenth of --data)')
    .option('--test <file>', 'labelled texts to measure on (default: a tenth of --data)')
    .option('--shots <number>', 'examples of each label to learn from, or to show (default: all, or none)', parseCount)
    .option('--seed <number>', 'of the split, of the examples and of what is random', parseSeed, usualSeeds[0])
    .option('--seeds <number>', `how many seeds to run with, of ${usualSeeds.join(', ')}`, parseSeeds)
    .option('--template <text>', 'as "{text} It was {mask}."; repeatable: an ensemble', collectText)
    .option('--words <label=words>', 'as positive=great,good; repeatable; or auto: they are searched', collectWords)
    .option('--triggers <number>', 'search so many words for the template', parseCount)
    .option('--generate <number>', 'let the model write so many templates, and take the best on dev', parseCount)
    .addOption(
      new Option('--calibrate <how>', 'divide by what the model says of empty inputs, or of the training texts')
        .choices(['none', 'empty', 'train'])
        .default('none'),
    )
    .option(
      '--corpus <path>',
      'what the model was pre-trained on, to look for test texts in it; repeatable',
      collectPath,
    )
    .option('--instructions <file>', 'what instruction learns beside the built-in clusters; repeatable', collectPath)
    .option('--hold-out <cluster>', 'what it does not learn (default: the cluster of --task); repeatable', collectText)
    .option('--set <option>', 'an option over the defaults, as steps=100; repeatable', collectOption)
    .option('--name <name>', 'keep the result in the registry under this name')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `\nMethods:\n${methodNames.map((name) => `  ${name.padEnd(12)}  ${methods[name].of === 'language' ? 'decoder' : 'encoder'}: learns ${methods[name].learns}`).join('\n')}`,
    )
    .action((options: TuneCommandOptions, command: Command) => runTune(options, command));
}

async function runTune(options: TuneCommandOptions, command: Command): Promise<void> {
  const settings = settingsFor(command);
  const registry = registryOf(settings);
  const base = registry.resolve(options.model);
  const data = await taskOf(options);
  warnOfContamination(data, options.corpus ?? []);
  const seeds = options.seeds === undefined ? [options.seed] : usualSeeds.slice(0, options.seeds);
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once('SIGINT', stop);
  let made: ModelVersion | undefined;
  let last = performance.now();
  try {
    const result = await tune(
      {
        model: loadModel(base.folder),
        tokenizer: loadTokenizer(base.folder),
        name: `${base.name}@${base.version}`,
        isImported: base.origin !== undefined,
      },
      data,
      {
        method: options.method,
        seeds,
        calibration: options.calibrate,
        ...(options.shots !== undefined && { shots: options.shots }),
        ...(options.template && { templates: options.template }),
        ...(options.words && { words: options.words }),
        ...(options.triggers !== undefined && { triggers: options.triggers }),
        ...(options.generate !== undefined && { generate: options.generate }),
        ...(options.method === 'instruction' && { instructions: await instructionsOf(options) }),
        ...splitSettings(options.set ?? {}),
      },
      {
        signal: interrupted.signal,
        report: ({ step, steps, loss, dev }) => {
          if (options.json || (performance.now() - last < 2000 && dev === undefined)) return;
          last = performance.now();
          const measured = dev === undefined ? '' : `, dev ${percent(dev)}`;
          note(`step ${step} of ${steps}${Number.isNaN(loss) ? '' : `, loss ${loss.toFixed(3)}`}${measured}`);
        },
        // Of several seeds the first is kept: to choose the best on test would be to train on it.
        keep: async (model, { seed, test }) => {
          if (options.name === undefined || seed !== seeds[0]) return;
          made = await registry.publish(
            {
              name: options.name,
              stage: 'tune',
              kind: keptKind(options.method),
              step: 0,
              finished: true,
              metrics: { test_accuracy: test.accuracy.value },
              parent: `${base.name}@${base.version}`,
              ...(base.origin !== undefined && { origin: base.origin }),
            },
            (folder) => assertSaved(model, folder),
          );
          await announceModel(settings, made);
        },
      },
    );
    show(result, data, made, options);
  } finally {
    process.off('SIGINT', stop);
  }
}

function assertSaved(model: TunedModel, folder: string): void {
  model.save(folder);
}

function keptKind(method: MethodName): 'classifier' | 'masked-language' | 'language' | 'adapter' {
  if (method === 'fine-tuning' || method === 'head-only') return 'classifier';
  if (method === 'lora' || method === 'prefix' || method === 'soft-prompt') return 'adapter';
  return methods[method].of;
}

async function taskOf({ task, data, dev, test, seed }: TuneCommandOptions): Promise<TaskData> {
  if ((task === undefined) === (data === undefined))
    throw invalidInput('either --task or --data is needed: what is the model to learn?', { at: '--task' });
  if (task !== undefined) return worldTask(task, seed);
  return readTask(
    data!,
    { train: data!, ...(dev !== undefined && { dev }), ...(test !== undefined && { test }) },
    seed,
  );
}

async function instructionsOf(options: TuneCommandOptions): Promise<readonly InstructionTask[]> {
  const { instructions = [], task, seed } = options;
  const rows = [];
  for (const path of instructions) for await (const row of readPromptedTasks(path)) rows.push(row);
  const own = task === undefined ? [] : [clusterOfTask(task)!];
  return holdOut([...worldInstructions(seed), ...rowInstructions(rows)], options.holdOut ?? own).seen;
}

/** Figures on texts that a model has seen are no figures. */
function warnOfContamination({ train, test }: TaskData, corpora: readonly string[]): void {
  const texts = test.map(({ text }) => text);
  const say = (count: number, examined: number, where: string): void => {
    if (count > 0) note(`Warning: ${count} of ${examined} test texts occur in ${where}; the figures are too good.`);
  };
  const inTraining = findContamination(
    texts,
    train.map(({ text }) => text),
    { whole: true },
  );
  say(inTraining.found.length, inTraining.examined, 'the training examples');
  for (const path of corpora) {
    const documents = (function* () {
      for (const { text } of readCorpus(path)) yield text;
    })();
    const { found, examined } = findContamination(texts, documents, { whole: false });
    say(found.length, examined, path);
  }
}

const settingNames = [
  ...([
    'steps',
    'rows',
    'learningRate',
    'warmupShare',
    'weightDecay',
    'evaluations',
    'threads',
    'hiddenShare',
  ] as const),
] as const;
const adapterNames = ['tokens', 'rank', 'reparametrization', 'width'] as const;

function splitSettings(given: Readonly<Record<string, unknown>>): {
  readonly settings: Partial<Omit<TuneSettings, 'seed'>>;
  readonly adapter: NonNullable<TuneOptions['adapter']>;
} {
  const all = [...settingNames, ...adapterNames];
  for (const [name, value] of Object.entries(given)) {
    if (!all.some((each) => each === name))
      throw invalidInput(`option ${name} does not exist; there are ${all.join(', ')}`, { at: name });
    if (name === 'reparametrization') {
      if (!reparametrizations.some((kind) => kind === value))
        throw invalidInput(`option ${name} is ${JSON.stringify(value)}; there are ${reparametrizations.join(', ')}`, {
          at: name,
        });
    } else if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
      throw invalidInput(`option ${name} is ${JSON.stringify(value)}; a number from 0 is needed`, { at: name });
    }
  }
  const pick = (names: readonly string[]): object =>
    Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
  return { settings: pick(settingNames), adapter: pick(adapterNames) };
}

function show(
  { method, runs, accuracy, settings }: TuneResult,
  { name, labels, train, test }: TaskData,
  made: ModelVersion | undefined,
  { json, model, shots }: TuneCommandOptions,
): void {
  const reference = made && `${made.name}@${made.version}`;
  if (json) {
    printJson({ model, method, task: name, labels, shots: shots ?? null, accuracy, settings, runs, made: reference });
    return;
  }
  const interval = ({ low, high }: { low: number; high: number }): string => `${percent(low)} to ${percent(high)}`;
  const [first] = runs as [TuneResult['runs'][number]];
  print(
    table([
      ['', 'accuracy', '95 %', 'macro F1', 'log loss'],
      ...runs.map(({ seed, test: { accuracy: own, macroF1, logLoss } }) => [
        `seed ${seed}`,
        percent(own.value),
        interval(own),
        macroF1.toFixed(3),
        logLoss.toFixed(3),
      ]),
      ...(runs.length > 1 ? [['mean', percent(accuracy.value), interval(accuracy), '', '']] : []),
      ['most frequent label', percent(first.test.majority), '', '', ''],
    ]),
  );
  const learned = first.trainedParameters;
  const share = learned === 0 ? 'none' : `${learned}, ${((100 * learned) / first.allParameters).toPrecision(3)} %`;
  print(
    `${test.length} test texts; ${shots === undefined ? `${train.length} to learn from` : `${shots} of each label`}; learned parameters: ${share}; ${settings.steps} steps, ${first.seconds.toFixed(0)} s a seed.`,
  );
  if (first.templates.length > 0) print(`Template: ${first.templates.join(' | ')}`);
  if (Object.keys(first.words).length > 0)
    print(
      `Words: ${Object.entries(first.words)
        .map(([label, words]) => `${label}=${words.join(',')}`)
        .join('  ')}`,
    );
  if (reference !== undefined) print(`Made ${reference}.`);
}

function percent(share: number): string {
  return `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)} %`;
}

function parseSeeds(given: string): number {
  const count = parseCount(given);
  if (count > usualSeeds.length) throw new InvalidArgumentError(`there are ${usualSeeds.length}`);
  return count;
}

function collectText(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}
