/** A question of the built-in world as a strategy is asked it, the examples that go with it, and whether an answer is right. */
import type { Question, TaskName, World } from '@crucible/data';
import { Random } from '@crucible/foundation';
import {
  type AnswerKind,
  createStrategy,
  type Example,
  isSameAnswer,
  type Outcome,
  type Strategy,
  type StrategyName,
  type Task,
} from '@crucible/prompting';

/** Of these the numbers are for an interpreter; those of the others are found in pages. */
export const calculatedTasks: readonly TaskName[] = ['arithmetic', 'calculation'];

/** Draws until a question comes that was not there before. */
const attempts = 200;

/** As many different questions as asked for, or as there are; the first ones are the same however many are asked for. */
export function drawQuestions(world: World, task: TaskName, options: QuestionsOptions): Question[] {
  const { split, seed, count } = options;
  const random = Random.seeded(seed).fork(`questions ${split} ${task}`);
  const questions = new Map<string, Question>();
  for (let failed = 0; questions.size < count && failed < attempts;) {
    const question = world.question({ task, split, random });
    failed = questions.has(question.question) ? failed + 1 : 0;
    if (failed === 0) questions.set(question.question, question);
  }
  return [...questions.values()];
}

export interface QuestionsOptions {
  readonly split: 'heldout' | 'unseen';
  readonly seed: number;
  readonly count: number;
}

/** Solved questions of the train split, as many as asked for or as there are; of labels, no more of one than its share. */
export function drawExamples(world: World, task: TaskName, seed: number, count: number): Example[] {
  const random = Random.seeded(seed).fork(`examples ${task}`);
  const examples = new Map<string, Example>();
  const ofLabel = new Map<string, number>();
  for (let failed = 0; examples.size < count && failed < attempts;) {
    const { question, text, answer, reasoning, program, expected } = world.question({ task, split: 'train', random });
    if (expected.kind === 'label') {
      const known = ofLabel.get(answer) ?? 0;
      if (known >= Math.ceil(count / expected.labels.length)) continue;
      ofLabel.set(answer, known + 1);
    }
    failed = examples.has(question) ? failed + 1 : 0;
    examples.set(question, {
      question: text ?? question,
      answer,
      ...(reasoning !== undefined && { reasoning }),
      ...(program !== undefined && { program }),
    });
  }
  return [...examples.values()];
}

/** Undefined: the strategy needs what the task does not have. */
export function strategyFor(
  name: StrategyName,
  examples: readonly Example[],
  { samples }: { readonly samples?: number },
): Strategy | undefined {
  const hasReasoning = examples.every(({ reasoning }) => reasoning !== undefined);
  if (name === 'cot' && !hasReasoning) return undefined;
  // Without reasoning in the examples, self-consistency draws step-by-step; PAL shows none, as `ask` does.
  const shown = name === 'few-shot' || (name !== 'pal' && hasReasoning) ? examples : [];
  const choice = { count: examples.length };
  return createStrategy(name, {
    examples: shown,
    choice,
    ...(name !== 'pal' && samples !== undefined && { samples }),
  });
}

export function taskFor(name: StrategyName, { question, text, expected }: Question): Task {
  const showsExamples = name === 'few-shot' || name === 'cot';
  return { question: (showsExamples ? text : undefined) ?? question, answer: answerKindOf(expected) };
}

function answerKindOf(expected: Question['expected']): AnswerKind {
  if (expected.kind === 'number') return { kind: 'number' };
  return expected.kind === 'label' ? { kind: 'choice', choices: expected.labels } : { kind: 'text' };
}

/** By the same rule for every strategy: what its outcome comes to, not how it is worded. */
export function isRight(world: World, question: Question, { status, text, key }: Outcome): boolean {
  if (status !== 'answered') return false;
  const { answer, expected } = question;
  if (expected.kind === 'number') return isSameAnswer(text, answer, { kind: 'number' });
  if (expected.kind === 'label') return key === String.fromCharCode(65 + expected.labels.indexOf(answer));
  return world.answers(question, text);
}
