import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Decision, openRun, type RunEvent, type RunSpec } from '@crucible/actor';
import { readCorpus } from '@crucible/data';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  type AnswerKind,
  createLexicalRetriever,
  createPageTools,
  createPythonTool,
  createStrategy,
  forgedWords,
  parseExamples,
  type Retriever,
  runStrategy,
  type Sampling,
  type Services,
  type Step,
  type Strategy,
  strategyNames,
  type StrategyOptions,
  type TextDocument,
  type Wording,
} from '@crucible/prompting';
import { createSandboxRunner } from '@crucible/chat-models';
import type { Settings } from '@crucible/service';
import { accessActor } from '../actor-access.ts';
import { describedModel, openChatApi } from '../chat-api.ts';
import { note, printJson, settingsFor } from '../context.ts';
import { registryOf } from '../registry.ts';
import { findRunning } from '../run-file.ts';
import { accessSandbox } from '../sandbox-access.ts';
import { collectPath, parseCount, parseSeed } from '../stage-options.ts';
import { printable, StepDisplay } from '../terminal/step-display.ts';

/** Whatever model is newest. */
const newestModel = 'crucible';

interface AskOptions {
  readonly strategy: string;
  readonly model: string;
  readonly url?: string;
  readonly system?: string;
  readonly answer: 'text' | 'number' | 'yes-no' | 'date';
  readonly choices?: readonly string[];
  readonly examples?: string;
  readonly shots?: number;
  readonly select?: 'fixed' | 'similar';
  readonly documents?: readonly string[];
  readonly collection?: string;
  readonly tool?: readonly string[];
  readonly pictures?: true;
  readonly samples?: number;
  readonly actions?: number;
  readonly wording?: Wording;
  readonly temperature: number;
  readonly maxTokens?: number;
  readonly seed: number;
  readonly seconds: number;
  readonly prompts?: true;
  readonly json?: true;
}

/**
 * Asks one question by a strategy: the trace goes to standard error, the answer to standard output. The actor runs it,
 * with the collections and tools of the services; over texts or a URL that only this command knows, the command itself.
 */
export function askCommand(): Command {
  return new Command('ask')
    .argument('<question...>', 'what is asked')
    .addOption(new Option('--strategy <name>', 'how it is asked').choices(strategyNames).default('direct'))
    .option('--model <name>', 'the model', newestModel)
    .option('--url <url>', 'an OpenAI-compatible API, as http://localhost:8080/v1 (key: $OPENAI_API_KEY)')
    .option('--system <text>', 'instructions before everything else')
    .addOption(
      new Option('--answer <kind>', 'what the answer is').choices(['text', 'number', 'yes-no', 'date']).default('text'),
    )
    .option('--choices <list>', 'the answers to choose from, as "red,green,blue"', parseChoices)
    .option(
      '--examples <file>',
      'solved examples for few-shot, cot and pal: JSON Lines of question, answer, reasoning, program',
    )
    .option('--shots <number>', 'the most examples (default: 8)', parseCount)
    .addOption(
      new Option('--select <how>', 'the first examples, or those most like the question').choices(['fixed', 'similar']),
    )
    .option(
      '--documents <path>',
      'texts to search for rag and react: a file, or a folder of .txt and .md; may be repeated',
      collectPath,
    )
    .option('--collection <name>', 'the collection to search for rag and react (see crucible ingest)')
    .option('--tool <name>', 'a tool for react, as python, fetch or browser; may be repeated', collectName)
    .option(
      '--pictures',
      'with --tool browser: keep a picture of every page that it shows, for the trace in the console',
    )
    .option(
      '--samples <number>',
      'of self-consistency (default: 5), or programs of pal that vote (default: 1)',
      parseCount,
    )
    .option('--actions <number>', 'of react, until an answer is demanded (default: 7)', parseCount)
    .addOption(
      new Option(
        '--wording <words>',
        'those that forged models know, or instructions in full (default: by the model)',
      ).choices(['forged', 'general']),
    )
    .option('--temperature <number>', '0 takes the likeliest answer, up to 2', parseTemperature, 0)
    .option('--max-tokens <number>', 'of one answer of the model', parseCount)
    .option('--seed <number>', 'for drawing', parseSeed, 0)
    .option('--seconds <number>', 'the most time', parseCount, 300)
    .option('--prompts', 'show the prompts in full')
    .option('--json', 'print every step as a line of JSON')
    .action(async (words: readonly string[], options: AskOptions, command: Command) => {
      // What is wrong with the options is said before anything is started.
      const strategy = createStrategy(options.strategy, strategyOptions(options));
      const isOwn = options.url !== undefined || options.documents !== undefined;
      assertTogether(options, isOwn);
      if (strategy.needs.includes('retriever') && options.documents === undefined && options.collection === undefined)
        throw invalidInput(
          `--strategy ${options.strategy} searches texts: name some with --documents, or a --collection`,
          { at: '--documents' },
        );
      const settings = settingsFor(command);
      const stopped = new AbortController();
      const stop = (): void => stopped.abort();
      process.once('SIGINT', stop);
      try {
        const question = words.join(' ');
        const steps = isOwn
          ? stepsOfThisCommand(question, strategy, options, settings, stopped.signal)
          : stepsOfTheActor(question, options, settings, stopped.signal);
        await show(steps, options);
      } finally {
        process.off('SIGINT', stop);
      }
    });
}

/** What only one of the two ways can do. */
function assertTogether({ url, collection, tool, pictures, strategy }: AskOptions, isOwn: boolean): void {
  const given = collection === undefined ? tool && '--tool' : '--collection';
  if (isOwn && given !== undefined) {
    const other = url === undefined ? '--documents' : '--url';
    throw invalidInput(
      `${given} is for the services, and ${other} does without them; models elsewhere can be named for the services too (docs/actor.md)`,
      { at: given },
    );
  }
  if (tool !== undefined && !strategy.includes('react'))
    throw invalidInput(`--tool: ${strategy} uses no tools; react does`, { at: '--tool' });
  if (pictures && tool?.some((name) => name.startsWith('browser')) !== true)
    throw invalidInput('--pictures: they are of what the browser shows; name it with --tool browser', {
      at: '--pictures',
    });
}

async function* stepsOfThisCommand(
  question: string,
  strategy: Strategy,
  options: AskOptions,
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<Step, void, undefined> {
  const retriever = retrieverOf(options.documents ?? []);
  await using api = await openChatApi(settings, options.url);
  const model = await describedModel(api, options.model, options.wording);
  // A forged model has learned to search or to calculate, not both at once.
  const calculates = strategy.needs.includes('tools') && (retriever === undefined || model.wording === 'general');
  await using access = strategy.needs.includes('code') || calculates ? await accessSandbox(settings) : undefined;
  const code = access && createSandboxRunner(access.sandbox);
  const services: Services = {
    model,
    ...(retriever && { retriever }),
    ...(code && { code }),
    tools: () => [
      ...(retriever ? createPageTools(retriever) : []),
      ...(code ? [createPythonTool(code, model.wording === 'forged' ? { decimals: forgedWords.decimals } : {})] : []),
    ],
  };
  const { system, seconds } = options;
  yield* runStrategy(
    strategy,
    { question, answer: answerKind(options), ...(system !== undefined && { system }) },
    services,
    { sampling: sampling(options), limits: { timeMs: seconds * 1000 }, signal },
  );
}

async function* stepsOfTheActor(
  question: string,
  options: AskOptions,
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<Step, void, undefined> {
  const isAlone = settings.actor.target === undefined && findRunning(settings.home) === undefined;
  if (isAlone && options.model === newestModel && registryOf(settings).names().length === 0)
    throw new CrucibleError('failed-precondition', 'there are no models yet; `crucible forge` makes some');
  await using access = await accessActor(settings);
  const run = openRun(access.clients.actor, specOf(question, options));
  // Its last steps tell of it.
  signal.addEventListener('abort', () => run.cancel(), { once: true });
  if (signal.aborted) run.cancel();
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  // Samples may ask side by side; a person is asked one thing at a time.
  let asked = Promise.resolve();
  try {
    for await (const event of run) {
      if (event.kind === 'step') yield event.step;
      if (event.kind === 'approval')
        asked = asked.then(async () => run.decide(event.callId, await decide(event, either)));
    }
  } finally {
    ended.abort();
  }
}

function specOf(question: string, options: AskOptions): RunSpec {
  const { strategy, model, system, collection, tool, pictures, samples, actions, wording, seconds } = options;
  const { examples, choice } = strategyOptions(options);
  return {
    runId: `ask-${randomUUID()}`,
    strategy,
    model,
    question,
    answer: answerKind(options),
    sampling: sampling(options),
    limits: { timeMs: seconds * 1000 },
    ...(system !== undefined && { system }),
    ...(examples && { examples }),
    ...(choice && { choice }),
    ...(collection !== undefined && { knowledge: { collection } }),
    ...(tool && { tools: tool }),
    ...(pictures && { pictures }),
    ...(samples !== undefined && { samples }),
    ...(actions !== undefined && { react: { maxSteps: actions } }),
    ...(wording && { wording }),
  };
}

/** Asks the person at the terminal, if there is one. */
async function decide(
  { tool, description, input }: Extract<RunEvent, { kind: 'approval' }>,
  signal: AbortSignal,
): Promise<Decision> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    return { approved: false, reason: 'nobody is at the terminal to allow it' };
  note(printable(`${tool}: ${description}\n${JSON.stringify(input, null, 2)}`));
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // It takes the keys of the terminal, Ctrl-C among them.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question('May it run? [y/N, or why not] ', { signal });
    if (/^y(es)?$/i.test(answer.trim())) return { approved: true };
    const reason = answer.trim();
    return { approved: false, ...(reason !== '' && !/^no?$/i.test(reason) && { reason: reason.slice(0, 1000) }) };
  } catch {
    return { approved: false, reason: 'interrupted' };
  } finally {
    terminal.close();
  }
}

function sampling({ temperature, seed, maxTokens }: AskOptions): Sampling {
  return { temperature, seed, ...(maxTokens !== undefined && { maxTokens }) };
}

async function show(steps: AsyncIterable<Step>, options: AskOptions): Promise<void> {
  const display = new StepDisplay(process.stdout, process.stderr, { prompts: options.prompts ?? false });
  let last: Step | undefined;
  let answer: Extract<Step, { kind: 'answer' }> | undefined;
  for await (const step of steps) {
    last = step;
    if (step.kind === 'answer') answer = step;
    if (options.json) printJson(step);
    else display.show(step);
  }
  if (last?.kind !== 'end') throw new CrucibleError('unavailable', 'the run was broken off');
  const { error, reason } = last;
  if (error) throw new CrucibleError(error.code, error.message, error.at === undefined ? {} : { at: error.at });
  if (reason === 'cancelled') throw new CrucibleError('cancelled', 'interrupted');
  if (answer?.status === 'none') {
    if (!options.json) note('crucible: no answer came out');
    process.exitCode = 1;
  }
}

function answerKind({ answer, choices }: AskOptions): AnswerKind {
  return choices ? { kind: 'choice', choices } : { kind: answer };
}

function strategyOptions({ strategy, examples, shots, select, samples, actions }: AskOptions): StrategyOptions {
  if (examples === undefined && (strategy === 'few-shot' || strategy === 'cot'))
    throw invalidInput(`--strategy ${strategy} shows solved examples: name a file with --examples`, {
      at: '--examples',
    });
  return {
    ...(examples !== undefined && { examples: parseExamples(textOf(examples), examples) }),
    choice: { ...(shots !== undefined && { count: shots }), ...(select && { select }) },
    ...(samples !== undefined && { samples }),
    ...(actions !== undefined && { react: { maxSteps: actions } }),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (reason) {
    const { code } = CrucibleError.from(reason);
    throw new CrucibleError(code, `--examples ${path}: it cannot be read: ${(reason as Error).message}`, {
      at: '--examples',
      cause: reason,
    });
  }
}

/** Documents by the first heading, or else the name, of their files. */
function retrieverOf(paths: readonly string[]): Retriever | undefined {
  if (paths.length === 0) return undefined;
  const documents = paths.flatMap((path) =>
    Array.from(readCorpus(path), ({ path: id, text }): TextDocument => ({
      id,
      text,
      title: /^#+ +(.+)/.exec(text)?.[1]!.trim() ?? basename(id, extname(id)),
    })),
  );
  return createLexicalRetriever([...new Map(documents.map((document) => [document.id, document])).values()]);
}

function collectName(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}

function parseChoices(given: string): readonly string[] {
  const choices = given.split(',').map((choice) => choice.trim());
  if (choices.length < 2 || choices.length > 26 || choices.includes(''))
    throw new InvalidArgumentError('it must be 2 to 26 answers with commas between them');
  return choices;
}

function parseTemperature(given: string): number {
  const temperature = Number(given);
  if (!(temperature >= 0 && temperature <= 2)) throw new InvalidArgumentError('it must be a number from 0 to 2');
  return temperature;
}
