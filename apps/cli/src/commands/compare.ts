import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadModel, type ModelVersion, saveModel } from '@crucible/checkpoint';
import { labelledTasks, type LabelledTask, readCorpus } from '@crucible/data';
import { CrucibleError, invalidInput, writeFileAtomic } from '@crucible/foundation';
import type { Settings } from '@crucible/service';
import { loadTokenizer, saveTokenizer } from '@crucible/tokenizer';
import {
  CellRunner,
  checkedSettings,
  comparedMethods,
  compare,
  type ComparedCells,
  type ComparedModel,
  type ComparedTask,
  type Comparison,
  type ComparisonFacts,
  type ComparisonPlan,
  type ComparisonPreset,
  comparisonPresets,
  comparisonReport,
  findContamination,
  htmlReport,
  instructLab,
  type LabelWords,
  type LabModel,
  labSizes,
  makeLabDecoder,
  makeLabEncoder,
  markdownReport,
  type MethodName,
  type ModelRole,
  parseComparisonPlan,
  readComparedTask,
  usualSeeds,
} from '@crucible/tuning';
import { CellProcesses } from '../cell-processes.ts';
import { note, print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { collectPath, parseCount } from '../stage-options.ts';
import { collectWords } from '../label-words-option.ts';
import { duration, table } from '../terminal/format.ts';

interface CompareCommandOptions {
  readonly plan?: string;
  readonly quick?: true;
  readonly task?: LabelledTask;
  readonly data?: string;
  readonly dev?: string;
  readonly test?: string;
  readonly transfer?: readonly ComparedTask[];
  readonly encoder?: readonly string[];
  readonly decoder?: readonly string[];
  readonly instructed?: readonly string[];
  readonly corpus?: readonly string[];
  readonly method?: readonly MethodName[];
  readonly shots?: readonly (number | 'all')[];
  readonly seeds?: number;
  readonly template?: string;
  readonly words?: LabelWords | 'auto';
  readonly out?: string;
  readonly json?: true;
}

/** Runs all ways of tuning side by side and writes a report of what differs. */
export function compareCommand(): Command {
  return new Command('compare')
    .option('--plan <file>', 'a plan, JSON; options go over it')
    .option('--quick', 'a small part of it, in minutes (default: the whole, under an hour)')
    .addOption(new Option('--task <task>', 'a task of the built-in world').choices(Object.keys(labelledTasks)))
    .option('--data <file>', 'labelled texts of your own, .jsonl or .txt')
    .option('--dev <file>', 'labelled texts to choose by (default: a tenth of --data)')
    .option('--test <file>', 'labelled texts to measure on (default: a tenth of --data)')
    .option('--transfer <task>', 'a task to measure on untuned: built-in, or a file; repeatable', collectTransfer)
    .option(
      '--encoder <model>',
      'a masked language model; the first is compared, others show size; repeatable',
      collect,
    )
    .option('--decoder <model>', 'a language model as it was pre-trained; repeatable, as --encoder', collect)
    .option(
      '--instructed <model>',
      'the language model after tuning on instructions; repeatable, in the order of --decoder',
      collect,
    )
    .option('--corpus <path>', 'text that the models were pre-trained on; repeatable', collectPath)
    .option('--method <method>', `one of ${comparedMethods.join(', ')}; repeatable (default: all)`, collectMethod)
    .option('--shots <list>', 'examples of each label, as 1,4,16,all', parseShots)
    .option('--seeds <number>', `how many seeds, of ${usualSeeds.join(', ')}`, parseCount)
    .option('--template <text>', 'of the encoder, as "{text} It was {mask}."; others by a plan')
    .option('--words <label=words>', 'as positive=great,good; repeatable', collectWords)
    .option('--out <folder>', 'where results and report go; what is there already is not done again')
    .option('--json', 'print the results as JSON')
    .action((options: CompareCommandOptions, command: Command) => runCompare(options, command));
}

async function runCompare(options: CompareCommandOptions, command: Command): Promise<void> {
  const settings = settingsFor(command);
  const plan = options.plan === undefined ? { settings: {} } : readPlan(options.plan);
  const preset: ComparisonPreset = options.quick ? 'quick' : 'whole';
  const task = taskOf(options, plan);
  const folder = resolve(options.out ?? join(settings.home, 'comparisons', `${task.name}-${preset}`));
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once('SIGINT', stop);
  try {
    const { signal } = interrupted;
    const comparison = await comparisonOf({ settings, options, plan, preset, task, signal });
    const runner = new CellRunner(comparison);
    await runner.assertFits();
    const { labels, train, test } = await runner.task;
    const facts: ComparisonFacts = {
      labels,
      texts: { train: train.length, test: test.length },
      contamination: contaminationOf(
        test.map(({ text }) => text),
        train.map(({ text }) => text),
        comparison.corpus ?? [],
      ),
      date: new Date().toISOString(),
    };
    for (const { where, found, examined } of facts.contamination)
      if (found > 0) note(`Warning: ${found} of ${examined} test texts occur in ${where}; the figures are too good.`);
    const equal = await runner.equalSizes();
    await using processes = new CellProcesses(comparison, settings.home);
    const cells = await compare(comparison, {
      ...{ folder, run: processes.run, signal, report: progressDisplay(options.json === true) },
      ...(equal && { equal }),
    });
    if (cells.results.length > 0) writeReport(folder, comparison, facts, cells);
    if (cells.stopped) {
      const done = cells.results.length + cells.rates.length;
      throw new CrucibleError(
        'cancelled',
        `stopped; ${done} of ${cells.all} trainings are kept in ${folder}, and the same command goes on from there`,
      );
    }
    show(cells, folder, options);
  } finally {
    process.off('SIGINT', stop);
  }
}

function readPlan(file: string): ComparisonPlan {
  let json: string;
  try {
    json = readFileSync(file, 'utf8');
  } catch (reason) {
    throw new CrucibleError('not-found', `${file}: it cannot be read`, { at: '--plan', cause: reason });
  }
  const { task, transfer, corpus, ...plan } = parseComparisonPlan(json, file);
  // Paths in a plan are as seen from the plan.
  const from = (path: string): string => resolve(dirname(file), path);
  const placed = (one: ComparedTask): ComparedTask => {
    if (!('files' in one.source)) return one;
    const { train, dev, test } = one.source.files;
    const files = {
      train: from(train),
      ...(dev !== undefined && { dev: from(dev) }),
      ...(test !== undefined && { test: from(test) }),
    };
    return { ...one, source: { files } };
  };
  return {
    ...plan,
    ...(task && { task: placed(task) }),
    ...(transfer && { transfer: transfer.map(placed) }),
    ...(corpus && { corpus: corpus.map(from) }),
  };
}

function taskOf({ task, data, dev, test, words, template }: CompareCommandOptions, plan: ComparisonPlan): ComparedTask {
  if (task !== undefined && data !== undefined)
    throw invalidInput('either --task or --data: one task is compared at a time', { at: '--task' });
  if (words === 'auto')
    throw invalidInput('--words auto: all ways are to have the same words, and only encoders can search them', {
      at: '--words',
    });
  if (data === undefined && (dev !== undefined || test !== undefined))
    throw invalidInput('--dev and --test belong to --data', { at: '--data' });
  const given: ComparedTask | undefined =
    task !== undefined
      ? { name: task, source: { world: task } }
      : data !== undefined
        ? {
            name: nameOf(data),
            source: {
              files: {
                train: resolve(data),
                ...(dev !== undefined && { dev: resolve(dev) }),
                ...(test !== undefined && { test: resolve(test) }),
              },
            },
          }
        : plan.task;
  const { templates, ...chosen } = given ?? { name: 'sentiment', source: { world: 'sentiment' } };
  const ask = { ...templates, ...(template !== undefined && { encoder: template }) };
  return { ...chosen, ...(words && { words }), ...(Object.keys(ask).length > 0 && { templates: ask }) };
}

function nameOf(path: string): string {
  return path.split(/[/\\]/).at(-1)!.split('.')[0]!;
}

interface Wanted {
  readonly settings: Settings;
  readonly options: CompareCommandOptions;
  readonly plan: ComparisonPlan;
  readonly preset: ComparisonPreset;
  readonly task: ComparedTask;
  readonly signal: AbortSignal;
}

async function comparisonOf(wanted: Wanted): Promise<Comparison> {
  const { options, plan, preset, task } = wanted;
  const { seeds, shots, method } = options;
  const given = checkedSettings(
    {
      ...plan.settings,
      ...(seeds !== undefined && { seeds: someSeeds(seeds) }),
      ...(shots && { shots }),
      ...(method && { methods: method }),
    },
    (what, at) => {
      throw invalidInput(`${at}: ${what}`, { at });
    },
  );
  const corpus = options.corpus ?? plan.corpus;
  const transfer = options.transfer ?? plan.transfer ?? [];
  // Before minutes are spent on models.
  for (const one of [task, ...transfer]) await readComparedTask(one);
  return {
    task,
    transfer,
    models: await modelsOf(wanted, corpus),
    ...(corpus && { corpus }),
    settings: { ...comparisonPresets[preset], ...given },
  };
}

function someSeeds(count: number): readonly number[] {
  if (count > usualSeeds.length)
    throw invalidInput(`--seeds ${count}: there are ${usualSeeds.length}`, { at: '--seeds' });
  return usualSeeds.slice(0, count);
}

/** What is named; or else the models of the lab, which are made where they are not there yet. */
async function modelsOf(wanted: Wanted, corpus: readonly string[] | undefined): Promise<ComparedModel[]> {
  const { settings, options, plan } = wanted;
  const registry = registryOf(settings);
  const named = (role: ModelRole, references: readonly string[]): ComparedModel[] =>
    references.map((reference) => compared(role, registry.resolve(reference)));
  const [encoders, decoders] = [options.encoder ?? plan.encoders ?? [], options.decoder ?? plan.decoders ?? []];
  const instructed = options.instructed ?? plan.instructed ?? [];
  if (encoders.length + decoders.length + instructed.length === 0) return labModels(wanted, corpus);
  if (instructed.length > Math.max(1, decoders.length))
    throw invalidInput(
      `--instructed ${instructed.at(-1)}: each is compared with the --decoder at its place, of which there are ${decoders.length}`,
      { at: '--instructed' },
    );
  const models = [...named('encoder', encoders), ...named('decoder', decoders), ...named('instructed', instructed)];
  const names = models.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalidInput(`${twice} is named twice; every model has one part`, { at: '--decoder' });
  return models;
}

function compared(role: ModelRole, { name, version, folder, sha256, origin }: ModelVersion): ComparedModel {
  return { role, name: `${name}@${version}`, folder, sha256, isImported: origin !== undefined };
}

/** Steps of pre-training and of tuning on instructions, where models are to be made first. */
const labSteps = {
  quick: { encoder: 300, decoder: 200, instructed: 100 },
  whole: { encoder: 1500, decoder: 560, instructed: 400 },
} as const;
type LabSize = keyof typeof labSizes;
/** The first of them is compared in all ways. */
const labSizesOf: Readonly<Record<ComparisonPreset, readonly LabSize[]>> = {
  quick: ['usual'],
  whole: ['usual', 'half'],
};
const labStages = { encoder: 'mlm', decoder: 'pretrain', instructed: 'tune' } as const;

async function labModels(
  { settings, preset, signal, options, task }: Wanted,
  corpus: readonly string[] | undefined,
): Promise<ComparedModel[]> {
  const registry = registryOf(settings);
  const { train } = await readComparedTask(task);
  // Of a built-in task its world is the text.
  const more =
    'world' in task.source ? [] : train.flatMap(({ text, pair }) => (pair === undefined ? [text] : [text, pair]));
  const text = { seed: 1, more, ...(corpus && { corpus }) };
  const heldOut = 'world' in task.source ? [task.source.world] : [];
  // Models of another text, length or cluster that was held out are other models.
  const origin = [corpus === undefined ? 'world' : nameOf(corpus[0]!), ...(more.length > 0 ? [task.name] : [])].join(
    '-',
  );
  const nameFor = (role: ModelRole, size: LabSize): string =>
    [
      ...['lab', ...(size === 'usual' ? [] : [size]), role, origin],
      ...(role === 'instructed' ? heldOut.map((cluster) => `without-${cluster}`) : []),
      preset,
    ]
      .join('-')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 64);
  const make = (role: ModelRole, size: LabSize): Promise<LabModel> => {
    const context = { signal, report: labDisplay(nameFor(role, size), options.json === true) };
    const steps = labSteps[preset][role];
    const sizes = labSizes[size];
    if (role === 'encoder') return makeLabEncoder(text, { steps, sizes }, context);
    if (role === 'decoder') return makeLabDecoder(text, { steps, sizes }, context);
    const { folder } = registry.resolve(nameFor('decoder', size));
    const base = { model: loadModel(folder), tokenizer: loadTokenizer(folder), metrics: {} };
    return instructLab(base, { steps, seed: 1, heldOut }, context);
  };
  const made: ComparedModel[] = [];
  const wantedModels = labSizesOf[preset].flatMap((size) =>
    (['encoder', 'decoder', 'instructed'] as const).map((role) => ({ role, size })),
  );
  for (const { role, size } of wantedModels) {
    const name = nameFor(role, size);
    if (!registry.names().includes(name)) {
      note(`There is no ${name} yet: training it, ${labSteps[preset][role]} steps.`);
      const { model, tokenizer, metrics } = await make(role, size);
      const finite = Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
      const card = { stage: labStages[role], step: labSteps[preset][role], finished: true, metrics: finite };
      await registry.publish({ name, kind: model.kind, ...card }, (folder) => {
        saveModel(folder, model, { pad: tokenizer.padId ?? 0 });
        saveTokenizer(tokenizer, folder);
      });
    }
    made.push(compared(role, registry.resolve(name)));
  }
  return made;
}

function labDisplay(name: string, quiet: boolean) {
  let last = performance.now();
  return ({ step, steps, loss }: { step: number; steps: number; loss: number }): void => {
    if (quiet || performance.now() - last < 5000) return;
    last = performance.now();
    note(`${name}: step ${step} of ${steps}, loss ${loss.toFixed(2)}`);
  };
}

function contaminationOf(
  tests: readonly string[],
  train: readonly string[],
  corpora: readonly string[],
): ComparisonFacts['contamination'] {
  const inTraining = findContamination(tests, train, { whole: true });
  const counts = (where: string, { found, examined }: ReturnType<typeof findContamination>) => ({
    where,
    found: found.length,
    examined,
  });
  return [
    counts('the training texts', inTraining),
    ...corpora.map((path) => {
      const documents = (function* () {
        for (const { text } of readCorpus(path)) yield text;
      })();
      return counts(path, findContamination(tests, documents, { whole: false }));
    }),
  ];
}

/** A line a cell, and one every few seconds within a long one. */
function progressDisplay(quiet: boolean): NonNullable<Parameters<typeof compare>[1]['report']> {
  let last = 0;
  let shown = '';
  return ({ cell, done, all, step, steps, secondsLeft }) => {
    const key = JSON.stringify(cell);
    const now = performance.now();
    if (quiet || (key === shown && now - last < 5000)) return;
    [last, shown] = [now, key];
    const { part, model, method, shots, seed } = cell;
    const what = part === 'rate' ? `rate ${cell.rate}` : `seed ${seed}`;
    const within = step === 0 ? '' : `, step ${step} of ${steps}`;
    const left = secondsLeft === undefined ? '' : `, about ${duration(secondsLeft)} left`;
    note(`${done + 1} of ${all}: ${method} of ${model}, ${shots} examples, ${what}${within}${left}`);
  };
}

const reportFiles = { html: 'report.html', markdown: 'report.md', json: 'report.json' } as const;

function writeReport(folder: string, comparison: Comparison, facts: ComparisonFacts, cells: ComparedCells): void {
  mkdirSync(folder, { recursive: true });
  const report = comparisonReport({ comparison, facts, ...cells });
  writeFileAtomic(join(folder, reportFiles.html), htmlReport(report));
  writeFileAtomic(join(folder, reportFiles.markdown), markdownReport(report));
  const json = { question: report.question, answer: report.answer, comparison, facts, ...cells };
  writeFileAtomic(join(folder, reportFiles.json), `${JSON.stringify(json, null, 2)}\n`);
}

function show({ results, all, failed }: ComparedCells, folder: string, { json }: CompareCommandOptions): void {
  const files = Object.fromEntries(Object.entries(reportFiles).map(([kind, file]) => [kind, join(folder, file)]));
  if (json) {
    printJson({ folder, files, trainings: all, failed, results });
    return;
  }
  const groups = Map.groupBy(results, ({ cell: { part, model, method, shots, size, asked } }) =>
    JSON.stringify([part, model, method, shots, size, asked]),
  );
  const rows = Array.from(groups.values(), (own) => {
    const { cell } = own[0]!;
    const values = own.map(({ figures }) => figures.accuracy.value);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const what = `${cell.method}${cell.size === undefined ? '' : ` (${cell.size})`}`;
    return [what, cell.model, String(cell.shots), mean.toFixed(3), String(own.length)];
  });
  print(table([['way', 'model', 'examples', 'accuracy', 'runs'], ...rows]));
  if (failed.length > 0) print(`${failed.length} trainings failed; the same command tries them again.`);
  print(`Report: ${files['html']}`);
}

function collect(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}

function collectTransfer(given: string, before: readonly ComparedTask[] = []): readonly ComparedTask[] {
  const task: ComparedTask = Object.hasOwn(labelledTasks, given)
    ? { name: given, source: { world: given as LabelledTask } }
    : { name: nameOf(given), source: { files: { train: resolve(given) } } };
  return [...before, task];
}

function collectMethod(given: string, before: readonly MethodName[] = []): readonly MethodName[] {
  if (!comparedMethods.includes(given as MethodName))
    throw new InvalidArgumentError(`there are ${comparedMethods.join(', ')}`);
  return [...before, given as MethodName];
}

function parseShots(given: string): readonly (number | 'all')[] {
  return given.split(',').map((one) => (one.trim() === 'all' ? 'all' : parseCount(one)));
}
