/** Asks held-out questions of the built-in world by strategies, several at a time, and says of each what came of it. */
import { type TaskName, taskNames, type World } from '@crucible/data';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  type ChatModel,
  type CodeRunner,
  collectRun,
  createLexicalRetriever,
  createPageTools,
  createPythonTool,
  type EndReason,
  forgedWords,
  type OutcomeStatus,
  runStrategy,
  type Services,
  sideBySide,
  type Strategy,
  type StrategyName,
  strategyNames,
} from '@crucible/prompting';
import { calculatedTasks, drawExamples, drawQuestions, isRight, strategyFor, taskFor } from './world-trial.ts';

/** One question asked by one strategy; a line of a results file. */
export interface Trial {
  readonly task: TaskName;
  readonly strategy: StrategyName;
  /** Its number among those of the task, from 0: by it trials of two strategies are paired. */
  readonly question: number;
  readonly right: boolean;
  readonly status: OutcomeStatus;
  readonly ended: EndReason;
  /** What the model refused the question with, where it did: one that is too long for it, say. */
  readonly error?: string;
  /** The beginning of what was answered. */
  readonly answer: string;
  /** Of prompts and answers together. */
  readonly tokens: number;
  /** Questions to the model. */
  readonly calls: number;
  /** From the question to its answer, others being asked at the same time. */
  readonly seconds: number;
}

export interface StrategiesOptions {
  readonly world: World;
  readonly model: ChatModel;
  /** Programs are run by it; without it, strategies that run any are refused. */
  readonly code?: CodeRunner;
  /** Default: all. */
  readonly tasks?: readonly TaskName[];
  /** Default: all. */
  readonly strategies?: readonly StrategyName[];
  /** Questions of every task. Default 100. */
  readonly limit?: number;
  /** Of questions, examples and drawing. Default 1. */
  readonly seed?: number;
  /** Default heldout. */
  readonly split?: 'heldout' | 'unseen';
  /** Solved examples of few-shot and cot. Default 3 in forged wording, as the world trains them, else 8. */
  readonly shots?: number;
  /** Of self-consistency. Default 5. */
  readonly samples?: number;
  /** Questions that are asked at the same time. Default 8. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
}

export interface StrategiesPlan {
  /** How many trials there are. */
  readonly total: number;
  /** Strategies that need what a task does not have. */
  readonly leftOut: readonly { readonly task: TaskName; readonly strategy: StrategyName; readonly reason: string }[];
  /** Those of earlier trials that belong to this plan. */
  readonly among: (trials: readonly Trial[]) => Trial[];
  /**
   * All but those that are done, in the order in which they end. Throws what a model or a sandbox fails with, or when
   * the first of them are all refused; leaving the loop stops all work.
   */
  readonly trials: (done?: readonly Trial[]) => AsyncGenerator<Trial, void, undefined>;
}

const longestAnswer = 200;

/** So many refusals and nothing else: it is not the questions. */
const mostRefused = 10;

/** What is wrong with the options is thrown here and now. */
export function planStrategies(options: StrategiesOptions): StrategiesPlan {
  const { world, model, split = 'heldout', seed = 1, limit = 100, parallel = 8, samples, signal } = options;
  const { tasks = taskNames, strategies = strategyNames } = options;
  const { shots = model.wording === 'forged' ? 3 : 8 } = options;
  assertAmong('tasks', tasks, taskNames);
  assertAmong('strategies', strategies, strategyNames);
  for (const [name, value] of Object.entries({ limit, parallel, shots }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalidInput(`${name}: ${value} is given; a whole number of at least 1 is allowed`, { at: name });

  const services = servicesOf(options, split);
  const leftOut: StrategiesPlan['leftOut'][number][] = [];
  // Question by question, so that what is there when it is stopped can be compared.
  const rounds: Planned[][] = [];
  for (const task of tasks) {
    const examples = drawExamples(world, task, seed, shots);
    const questions = drawQuestions(world, task, { split, seed, count: limit });
    const chosen = strategies.flatMap((name): [StrategyName, Strategy][] => {
      const strategy = strategyFor(name, examples, samples === undefined ? {} : { samples });
      if (strategy !== undefined) return [[name, strategy]];
      leftOut.push({ task, strategy: name, reason: 'train has no worked answers to show' });
      return [];
    });
    for (const [number, question] of questions.entries()) {
      const round = (rounds[number] ??= []);
      for (const [name, strategy] of chosen) {
        const attempt = async (left: AbortSignal): Promise<Trial> => {
          const began = performance.now();
          const run = runStrategy(strategy, taskFor(name, question), services(task), {
            sampling: { seed: number },
            signal: signal ? AbortSignal.any([signal, left]) : left,
          });
          const { outcome, reason, usage, error } = await collectRun(run);
          if (error && error.code !== 'invalid-input') throw error;
          if (reason === 'cancelled') throw new CrucibleError('cancelled', 'interrupted');
          return {
            task,
            strategy: name,
            question: number,
            right: isRight(world, question, outcome),
            status: outcome.status,
            ended: reason,
            ...(error && { error: error.message }),
            answer: outcome.text.slice(0, longestAnswer),
            tokens: usage.promptTokens + usage.completionTokens,
            calls: usage.calls,
            seconds: Math.round(performance.now() - began) / 1000,
          };
        };
        round.push({ key: keyOf({ task, strategy: name, question: number }), attempt });
      }
    }
  }
  const planned = rounds.flat();
  const keys = new Set(planned.map(({ key }) => key));
  return {
    total: planned.length,
    leftOut,
    among: (trials) => trials.filter((trial) => keys.has(keyOf(trial))),
    trials: async function* (done = []) {
      const known = new Set(done.map(keyOf));
      const left = new AbortController();
      const each = ({ attempt }: Planned) =>
        async function* (): AsyncGenerator<Trial, void, undefined> {
          yield await attempt(left.signal);
        };
      try {
        const remaining = planned.filter(({ key }) => !known.has(key));
        let accepted = 0;
        let refused = 0;
        for await (const trial of sideBySide(remaining.map(each), parallel)) {
          if (trial.error === undefined) accepted++;
          else if (++refused >= Math.min(mostRefused, remaining.length) && accepted === 0)
            throw invalidInput(trial.error);
          yield trial;
        }
      } finally {
        // Those that are under way when the loop is left, or when one has failed.
        left.abort();
      }
    },
  };
}

interface Planned {
  readonly key: string;
  readonly attempt: (left: AbortSignal) => Promise<Trial>;
}

/** By task: forged models have learned to search or to calculate, not to choose. */
function servicesOf(
  { world, model, code }: StrategiesOptions,
  split: 'heldout' | 'unseen',
): (task: TaskName) => Services {
  const retriever = createLexicalRetriever(
    world.encyclopedia(split).pages.map(({ title, sentences }) => ({ id: title, title, text: sentences.join(' ') })),
  );
  const isForged = model.wording === 'forged';
  return (task) => {
    const calculates = !isForged || calculatedTasks.includes(task);
    const searches = !isForged || !calculatedTasks.includes(task);
    return {
      model,
      retriever,
      ...(code && { code }),
      tools: () => [
        ...(searches ? createPageTools(retriever) : []),
        ...(calculates && code ? [createPythonTool(code, isForged ? { decimals: forgedWords.decimals } : {})] : []),
      ],
    };
  };
}

function keyOf({ task, strategy, question }: Pick<Trial, 'task' | 'strategy' | 'question'>): string {
  return `${task} ${strategy} ${question}`;
}

function assertAmong(option: string, given: readonly string[], allowed: readonly string[]): void {
  if (given.length === 0)
    throw invalidInput(`${option}: none is given; there are ${allowed.join(', ')}`, { at: option });
  const strange = given.find((name) => !allowed.includes(name));
  if (strange !== undefined)
    throw invalidInput(`${option}: ${JSON.stringify(strange)} is none; there are ${allowed.join(', ')}`, {
      at: option,
    });
  const twice = given.find((name, i) => given.indexOf(name) < i);
  if (twice !== undefined) throw invalidInput(`${option}: ${twice} is given twice`, { at: option });
}

/** Whether any of the strategies runs programs on any of the tasks. */
export function runsPrograms(
  model: Pick<ChatModel, 'wording'>,
  { tasks = taskNames, strategies = strategyNames }: Pick<StrategiesOptions, 'tasks' | 'strategies'>,
): boolean {
  if (strategies.includes('pal')) return true;
  const acts = strategies.some((name) => name.includes('react'));
  return acts && (model.wording !== 'forged' || tasks.some((task) => calculatedTasks.includes(task)));
}
