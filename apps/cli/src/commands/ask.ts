import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
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
  type Services,
  strategyNames,
  type StrategyOptions,
  type TextDocument,
  type Wording,
} from '@crucible/prompting';
import { createSandboxRunner } from '@crucible/chat-models';
import { describedModel, openChatApi } from '../chat-api.ts';
import { note, printJson, settingsFor } from '../context.ts';
import { accessSandbox } from '../sandbox-access.ts';
import { collectPath, parseCount, parseSeed } from '../stage-options.ts';
import { StepDisplay } from '../terminal/step-display.ts';

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

/** Asks one question by a strategy: the trace goes to standard error, the answer to standard output. */
export function askCommand(): Command {
  return new Command('ask')
    .argument('<question...>', 'what is asked')
    .addOption(new Option('--strategy <name>', 'how it is asked').choices(strategyNames).default('direct'))
    .option('--model <name>', 'the model', 'crucible')
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
      const retriever = retrieverOf(options.documents ?? []);
      if (strategy.needs.includes('retriever') && retriever === undefined)
        throw invalidInput(`--strategy ${options.strategy} searches texts: name some with --documents`, {
          at: '--documents',
        });
      const settings = settingsFor(command);
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
          ...(code
            ? [createPythonTool(code, model.wording === 'forged' ? { decimals: forgedWords.decimals } : {})]
            : []),
        ],
      };
      const stopped = new AbortController();
      const stop = (): void => stopped.abort();
      process.once('SIGINT', stop);
      try {
        await ask(words.join(' '), strategy, services, options, stopped.signal);
      } finally {
        process.off('SIGINT', stop);
      }
    });
}

async function ask(
  question: string,
  strategy: ReturnType<typeof createStrategy>,
  services: Services,
  options: AskOptions,
  signal: AbortSignal,
): Promise<void> {
  const { temperature, seed, maxTokens, system, seconds } = options;
  const run = runStrategy(
    strategy,
    { question, answer: answerKind(options), ...(system !== undefined && { system }) },
    services,
    {
      sampling: { temperature, seed, ...(maxTokens !== undefined && { maxTokens }) },
      limits: { timeMs: seconds * 1000 },
      signal,
    },
  );
  const display = new StepDisplay(process.stdout, process.stderr, { prompts: options.prompts ?? false });
  let next = await run.next();
  while (next.done !== true) {
    if (options.json) printJson(next.value);
    else display.show(next.value);
    next = await run.next();
  }
  const { error, reason, outcome } = next.value;
  if (error) throw error;
  if (reason === 'cancelled') throw new CrucibleError('cancelled', 'interrupted');
  if (outcome.status === 'none') {
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
