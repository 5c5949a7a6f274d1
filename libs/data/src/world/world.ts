/**
 * The built-in world: tasks with exact verifiers, pages to search, and text to pre-train on. Seeded, unlimited, and
 * split by construction; docs/world.md shows it.
 */
import { invalidInput, Random } from '@crucible/foundation';
import type { ChatMessage } from '@crucible/tokenizer';
import { drawLabelled, type LabelledExample, type LabelledOptions, labelledTasks } from './labelled.ts';
import { drawDocument } from './documents/document.ts';
import type { Encyclopedia } from './encyclopedia.ts';
import { createEncyclopedia, smallPageCounts } from './encyclopedia.ts';
import type { Example, Format, Question, TaskName } from './example.ts';
import { formats, taskNames } from './example.ts';
import type { Demonstration, DemonstrationMix, GradedAnswer } from './graded-answers.ts';
import { demonstration, demonstrationMix, gradedAnswers } from './graded-answers.ts';
import { drawCountryName } from './names.ts';
import { pickWeighted } from './pick-weighted.ts';
import { trajectoryMessages } from './react.ts';
import type { Trajectory } from './react.ts';
import type { Split } from './split.ts';
import { splits } from './split.ts';
import type { Draw, Task } from './task.ts';
import { arithmetic } from './tasks/arithmetic.ts';
import { calculation, drawCalculationTrajectory } from './tasks/calculation.ts';
import { instructions } from './tasks/instructions.ts';
import { lookup } from './tasks/lookup.ts';
import { drawMultihopTrajectory, multihop } from './tasks/multihop.ts';
import { questionType } from './tasks/question-type.ts';
import { sentiment } from './tasks/sentiment.ts';
import { smalltalk } from './tasks/smalltalk.ts';
import { topic } from './tasks/topic.ts';
import type { Verdict, VerifyOptions } from './verdict.ts';
import { verify } from './verdict.ts';

/** How often each task is drawn. */
export const taskWeights: Readonly<Record<TaskName, number>> = {
  arithmetic: 0.06,
  calculation: 0.25,
  lookup: 0.1,
  multihop: 0.2,
  sentiment: 0.08,
  topic: 0.1,
  'question-type': 0.08,
  instructions: 0.06,
  smalltalk: 0.07,
};

export interface WorldOptions {
  /** A whole number from 0 to 2^53 - 1; default 0. Decides the name of the country and the pages of its encyclopedia. */
  readonly seed?: number;
}

export interface ExampleOptions {
  readonly split: Split;
  readonly random: Random;
  /** Default: drawn by `taskWeights` among the tasks that have the format. */
  readonly task?: TaskName;
  /** Default: drawn by the weights of the task. */
  readonly format?: Format;
}

export interface QuestionOptions {
  readonly task: TaskName;
  readonly split: Split;
  readonly random: Random;
}

export interface TrajectoryOptions {
  readonly split: Split;
  readonly random: Random;
  readonly task: 'calculation' | 'multihop';
}

/** A whole conversation of thoughts, actions and observations. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly answer: string;
  readonly phrasing: string;
}

export interface World {
  readonly seed: number;
  readonly country: string;
  example(options: ExampleOptions): Example;
  /** A question of a task by itself; of `lookup`, about the pages of `encyclopedia(split)`, as those of `multihop` are. */
  question(options: QuestionOptions): Question;
  verify(example: Example, response: string, options: VerifyOptions): Verdict;
  /** Whether a text, whoever wrote it and however, comes to the answer of a question. */
  answers(question: Question, text: string): boolean;
  gradedAnswers(example: Example, random: Random): GradedAnswer[];
  /** `mix` replaces some of the weights of `demonstrationMix`. */
  demonstration(example: Example, random: Random, mix?: Partial<DemonstrationMix>): Demonstration;
  trajectory(options: TrajectoryOptions): Conversation;
  /** A text with its label, for classifiers: see `labelledTasks`. */
  labelled(options: LabelledOptions): LabelledExample;
  /** Raw text for pre-training. Default split: train. */
  document(random: Random, split?: Split): string;
  encyclopedia(split: Split): Encyclopedia;
}

const tasks: Readonly<Record<TaskName, Task>> = {
  arithmetic,
  calculation,
  lookup,
  multihop,
  sentiment,
  topic,
  'question-type': questionType,
  instructions,
  smalltalk,
};

/** The formats of a task. */
export function formatsOf(task: TaskName): Format[] {
  return Object.keys(formatWeightsOf(task)) as Format[];
}

/** How often each format of a task is drawn. */
export function formatWeightsOf(task: TaskName): Readonly<Partial<Record<Format, number>>> {
  return tasks[task].formats;
}

export function createWorld({ seed = 0 }: WorldOptions = {}): World {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalidInput(`seed: ${seed} is not a whole number from 0 to 2^53 - 1`, { at: 'seed' });
  }
  const root = Random.seeded(seed).fork('world');
  const country = drawCountryName(root.fork('country'));
  const encyclopedias = new Map<Split, Encyclopedia>();
  const encyclopedia = (split: Split): Encyclopedia => {
    assertOneOf('split', split, splits);
    const known = encyclopedias.get(split);
    if (known !== undefined) return known;
    const created = createEncyclopedia(split, root.fork(`encyclopedia ${split}`));
    encyclopedias.set(split, created);
    return created;
  };
  const drawFrom = (split: Split, random: Random): Draw => {
    assertOneOf('split', split, splits);
    return {
      split,
      random,
      country,
      // Who always met the same pages would learn them by heart, and not to read.
      encyclopedia: () =>
        split === 'train' ? createEncyclopedia(split, random, smallPageCounts) : encyclopedia(split),
    };
  };

  return {
    seed,
    country,
    encyclopedia,
    example({ split, random, ...wanted }) {
      const draw = drawFrom(split, random);
      const task = wanted.task ?? drawTask(wanted.format, random);
      const format = wanted.format ?? drawFormat(task, random);
      assertFormat(task, format);
      return { task, format, split, ...tasks[task].draw(draw, format) };
    },
    question({ task, split, random }) {
      assertOneOf('task', task, taskNames);
      return { task, split, ...tasks[task].question(drawFrom(split, random)) };
    },
    verify,
    answers({ question, answer, ...rest }, text) {
      const messages = [{ role: 'user' as const, content: question }];
      return verify({ ...rest, format: 'plain', messages, response: answer, answer }, text, { finished: true }).correct;
    },
    gradedAnswers,
    demonstration(example, random, mix) {
      return demonstration(example, random, { ...demonstrationMix, ...mix });
    },
    trajectory({ split, random, task }) {
      const draw = drawFrom(split, random);
      const trajectory = trajectories[task](draw);
      return { messages: trajectoryMessages(trajectory), answer: trajectory.answer, phrasing: trajectory.phrasing };
    },
    labelled({ task, split, random }) {
      assertOneOf('split', split, splits);
      assertOneOf('task', task, Object.keys(labelledTasks));
      return drawLabelled(task, split, random);
    },
    document(random, split = 'train') {
      return drawDocument(drawFrom(split, random));
    },
  };
}

const trajectories: Readonly<Record<TrajectoryOptions['task'], (draw: Draw) => Trajectory>> = {
  calculation: drawCalculationTrajectory,
  multihop: drawMultihopTrajectory,
};

function drawTask(format: Format | undefined, random: Random): TaskName {
  if (format !== undefined) assertOneOf('format', format, formats);
  const allowed = taskNames.filter((name) => format === undefined || tasks[name].formats[format] !== undefined);
  const weights: Partial<Record<TaskName, number>> = Object.fromEntries(
    allowed.map((name) => [name, taskWeights[name]]),
  );
  return pickWeighted(weights, random);
}

function drawFormat(task: TaskName, random: Random): Format {
  assertOneOf('task', task, taskNames);
  return pickWeighted(formatWeightsOf(task), random);
}

function assertFormat(task: TaskName, format: Format): void {
  assertOneOf('task', task, taskNames);
  assertOneOf('format', format, formats);
  if (tasks[task].formats[format] !== undefined) return;
  throw invalidInput(`format: ${task} has no format ${format}; it has ${formatsOf(task).join(', ')}`, { at: 'format' });
}

/** Options come from command lines and requests, so their types are no promise. */
function assertOneOf(option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw invalidInput(`${option}: ${JSON.stringify(value)} is none of ${allowed.join(', ')}`, { at: option });
}
