import { Command } from 'commander';
import { loadModel, type ModelVersion, saveModel } from '@crucible/checkpoint';
import { readPromptedTasks } from '@crucible/data';
import { invalidInput } from '@crucible/foundation';
import { loadTokenizer, saveTokenizer } from '@crucible/tokenizer';
import {
  differenceOverTexts,
  holdOut,
  instruct,
  instructDefaults,
  type InstructionTask,
  rowInstructions,
  type Share,
  shareWithInterval,
  withInstructionFormat,
  worldInstructions,
  zeroShot,
  type ZeroShotOutcome,
} from '@crucible/tuning';
import { announceModel } from '../announce-model.ts';
import { note, print, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { collectOption, collectPath, parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

interface InstructCommandOptions {
  readonly model: string;
  readonly holdOut: readonly string[];
  readonly instructions?: readonly string[];
  readonly world: boolean;
  readonly cap: number;
  readonly examples: number;
  readonly seed: number;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly json?: true;
}

/** Tunes a language model on instructions of many tasks, and measures it on clusters that it has not seen. */
export function instructCommand(): Command {
  return new Command('instruct')
    .requiredOption('--model <model>', 'NAME or NAME@VERSION: a language model')
    .requiredOption(
      '--hold-out <cluster>',
      'a cluster of tasks to measure on and not to learn; repeatable',
      collectText,
    )
    .option(
      '--instructions <file>',
      'rows {cluster, task, prompt, completion, options?}, .jsonl or .jsonl.gz; repeatable',
      collectPath,
    )
    .option('--no-world', 'without the built-in clusters')
    .option('--cap <number>', 'examples of a task that count at most for its share', parseCount, instructDefaults.cap)
    .option('--examples <number>', 'instructions of each task to measure on, at most', parseCount, 100)
    .option('--seed <number>', 'of the tasks and of what is random', parseSeed, 1)
    .option('--set <option>', 'an option over the defaults, as steps=100; repeatable', collectOption)
    .option('--name <name>', 'keep the result in the registry under this name')
    .option('--json', 'print the result as JSON')
    .action((options: InstructCommandOptions, command: Command) => runInstruct(options, command));
}

async function runInstruct(options: InstructCommandOptions, command: Command): Promise<void> {
  const settings = settingsFor(command);
  const registry = registryOf(settings);
  const base = registry.resolve(options.model);
  const loaded = loadModel(base.folder);
  if (loaded.kind !== 'language')
    throw invalidInput(`${base.name} is a model of the kind ${loaded.kind}; a language model is needed`, {
      at: '--model',
    });
  const reference = `${base.name}@${base.version}`;
  const source = { weights: loaded.weights, config: loaded.config, tokenizer: loadTokenizer(base.folder) };
  const training = settingsOf(options);
  const { seen, unseen } = holdOut(await tasksOf(options), options.holdOut);
  warnOfContamination(seen, unseen);
  const measured = [...unseen, ...seen].map((task) => ({ ...task, test: task.test.slice(0, options.examples) }));

  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once('SIGINT', stop);
  try {
    const { signal } = interrupted;
    const before = await zeroShot(source, measured, { signal });
    let last = performance.now();
    const start = last;
    const weights = await instruct({ ...source, base: reference }, seen, training, {
      signal,
      report: ({ step, steps, loss }) => {
        if (options.json || performance.now() - last < 2000) return;
        last = performance.now();
        note(`step ${step} of ${steps}, loss ${loss.toFixed(3)}`);
      },
    });
    const seconds = (performance.now() - start) / 1000;
    const after = await zeroShot({ ...source, weights }, measured, { signal });
    const figures = measured.map(({ cluster }, i) =>
      taskFigures(before[i]!, after[i]!, options.holdOut.includes(cluster)),
    );
    let made: ModelVersion | undefined;
    if (options.name !== undefined) {
      const { config } = source;
      made = await registry.publish(
        {
          name: options.name,
          stage: 'tune',
          kind: 'language',
          step: training.steps,
          finished: true,
          metrics: {},
          parent: reference,
          ...(base.origin !== undefined && { origin: base.origin }),
        },
        (folder) => {
          saveModel(folder, { kind: 'language', config, weights }, { pad: source.tokenizer.padId ?? 0 });
          saveTokenizer(withInstructionFormat(source.tokenizer), folder);
        },
      );
      await announceModel(settings, made);
    }
    show(figures, heldOutMeans(figures), { training, seconds, made, options });
  } finally {
    process.off('SIGINT', stop);
  }
}

async function tasksOf({ instructions = [], world, seed }: InstructCommandOptions): Promise<InstructionTask[]> {
  const rows = [];
  for (const path of instructions) for await (const row of readPromptedTasks(path)) rows.push(row);
  const tasks = [...(world ? worldInstructions(seed) : []), ...rowInstructions(rows)];
  if (tasks.length === 0)
    throw invalidInput('instructions: there are none; give --instructions, or leave --no-world out', {
      at: '--instructions',
    });
  return tasks;
}

/** What is written out in rows may stand on both sides, in files of others. */
function warnOfContamination(seen: readonly InstructionTask[], unseen: readonly InstructionTask[]): void {
  const learned = new Set(seen.flatMap(({ prompts = [] }) => prompts.map(plain)));
  const tests = unseen.flatMap(({ test }) => test);
  const found = tests.filter(({ prompt }) => learned.has(plain(prompt))).length;
  if (found > 0)
    note(
      `Warning: ${found} of ${tests.length} held-out instructions are among those to learn; the figures are too good.`,
    );
}

function plain(prompt: string): string {
  return (prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');
}

const settingNames = ['steps', 'rows', 'time', 'learningRate', 'warmupSteps', 'weightDecay', 'optimizer'] as const;

function settingsOf({ set = {}, cap, seed }: InstructCommandOptions): typeof instructDefaults {
  for (const [name, value] of Object.entries(set)) {
    if (!settingNames.some((each) => each === name))
      throw invalidInput(`option ${name} does not exist; there are ${settingNames.join(', ')}`, { at: name });
    const allowed =
      name === 'optimizer' ? value === 'muon' || value === 'adamw' : typeof value === 'number' && value >= 0;
    if (!allowed)
      throw invalidInput(
        `option ${name} is ${JSON.stringify(value)}; ${name === 'optimizer' ? 'muon or adamw' : 'a number from 0'} is needed`,
        { at: name },
      );
  }
  return { ...instructDefaults, ...set, cap, seed };
}

interface TaskFigures {
  readonly task: string;
  readonly cluster: string;
  readonly heldOut: boolean;
  readonly count: number;
  readonly tooLong: number;
  readonly ranking?: Compared;
  readonly generation: Compared;
}

interface Compared {
  readonly base: Share;
  readonly instructed: Share;
  readonly difference: Share;
  /** Whether each was right, base and instructed. */
  readonly pairs: readonly (readonly [boolean, boolean])[];
}

function compared(base: readonly boolean[], instructed: readonly boolean[]): Compared {
  const share = (right: readonly boolean[]): Share =>
    shareWithInterval(right.filter((is) => is).length, Math.max(1, right.length));
  return {
    base: share(base),
    instructed: share(instructed),
    difference: differenceOverTexts(instructed, base),
    pairs: base.map((was, i) => [was, instructed[i]!]),
  };
}

function taskFigures(base: ZeroShotOutcome, instructed: ZeroShotOutcome, heldOut: boolean): TaskFigures {
  const { task, cluster, ranked, generated, tooLong } = base;
  return {
    task,
    cluster,
    heldOut,
    count: generated.length,
    tooLong,
    ...(ranked && { ranking: compared(ranked, instructed.ranked!) }),
    generation: compared(generated, instructed.generated),
  };
}

/** Over all instructions of held-out clusters. */
function heldOutMeans(figures: readonly TaskFigures[]): Partial<Record<'ranking' | 'generation', Compared>> {
  const joined = (how: 'ranking' | 'generation'): object => {
    const pairs = figures.filter(({ heldOut }) => heldOut).flatMap((task) => task[how]?.pairs ?? []);
    if (pairs.length === 0) return {};
    return {
      [how]: compared(
        pairs.map(([was]) => was),
        pairs.map(([, is]) => is),
      ),
    };
  };
  return { ...joined('ranking'), ...joined('generation') };
}

interface Shown {
  readonly training: typeof instructDefaults;
  readonly seconds: number;
  readonly made: ModelVersion | undefined;
  readonly options: InstructCommandOptions;
}

function show(
  figures: readonly TaskFigures[],
  means: Partial<Record<'ranking' | 'generation', Compared>>,
  { training, seconds, made, options }: Shown,
): void {
  const reference = made && `${made.name}@${made.version}`;
  if (options.json) {
    const withoutPairs = (key: string, value: unknown): unknown => (key === 'pairs' ? undefined : value);
    const result = {
      model: options.model,
      holdOut: options.holdOut,
      settings: training,
      tasks: figures,
      heldOut: means,
      seconds,
      made: reference,
    };
    printJson(JSON.parse(JSON.stringify(result, withoutPairs)));
    return;
  }
  const cells = (part: Compared | undefined): string[] =>
    part ? [percent(part.base.value), percent(part.instructed.value), interval(part.difference)] : ['', '', ''];
  print(
    table([
      ['', 'cluster', 'asked', 'ranked', 'instructed', 'difference, 95 %', 'written', 'instructed', 'difference, 95 %'],
      ...figures.map(({ task, cluster, heldOut, count, ranking, generation }) => [
        task,
        heldOut ? `${cluster}, held out` : cluster,
        String(count),
        ...cells(ranking),
        ...cells(generation),
      ]),
      ['all held out', '', '', ...cells(means.ranking), ...cells(means.generation)],
    ]),
  );
  const tooLong = figures.reduce((sum, task) => sum + task.tooLong, 0);
  if (tooLong > 0) print(`${tooLong} instructions are too long for the model and were not asked.`);
  print(`${training.steps} steps, ${seconds.toFixed(0)} s.`);
  if (reference !== undefined) print(`Made ${reference}.`);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function interval({ low, high }: Share): string {
  const signed = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`;
  return `${signed(low)} to ${signed(high)}`;
}

function collectText(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}
