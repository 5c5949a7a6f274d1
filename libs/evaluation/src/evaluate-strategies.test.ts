import { createWorld, type Question, type TaskName } from '@crucible/data';
import { CrucibleError } from '@crucible/foundation';
import { type ChatMessage, type ChatRequest, forgedWords, type StrategyName } from '@crucible/prompting';
import { createPythonRunner, findPython, scriptedModel } from '@crucible/prompting/testing';
import { describe, expect, it, vi } from 'vitest';
import { compareStrategies } from './compare-strategies.ts';
import { planStrategies, type StrategiesOptions, type Trial } from './evaluate-strategies.ts';
import { drawExamples, drawQuestions } from './world-trial.ts';

const world = createWorld({ seed: 1 });
const limit = 12;

function questionsOf(task: TaskName, count = limit): Question[] {
  return drawQuestions(world, task, { split: 'heldout', seed: 1, count });
}

const asked = new Map(
  (['calculation', 'lookup', 'multihop', 'sentiment'] as const).flatMap((task) =>
    questionsOf(task).flatMap((question, number) =>
      [question.question, question.text ?? ''].map((text) => [text, { ...question, number }] as const),
    ),
  ),
);

/**
 * It can write programs, read pages and search; by heart it knows every third answer. As a model that was forged here,
 * it goes by the words that it is asked in.
 */
function skilled({ messages }: ChatRequest): string {
  const system = messages.find(({ role }) => role === 'system')?.content;
  const text = messages.find(({ role }) => role === 'user')!.content;
  const question = (of: string): Question & { readonly number: number } => {
    const known = asked.get(of);
    if (known === undefined) throw new Error(`nobody should ask ${of}`);
    return known;
  };
  if (system === forgedWords.program) return question(text).program ?? 'There is nothing to calculate.';
  if (system !== undefined) return nextStep(question(text), messages);
  if (text.startsWith('Passages:\n')) {
    const { answer } = question(text.split('\nQuestion: ')[1]!);
    const found = text.split('\n').find((line) => line.startsWith('[') && line.includes(answer));
    return found === undefined ? forgedWords.notSaid : `${answer} ${found.slice(0, 3)}`;
  }
  const { answer, number } = question(
    /.*(?=Answer:$)/
      .exec(text)?.[0]
      .replace(/^Text: /, '')
      .trim() ?? text,
  );
  return number % 3 === 0 ? answer : 'Somewhere.';
}

/** The next step of ReAct, by the reasoning that leads to the answer. */
function nextStep({ reasoning, answer, task }: Question, messages: readonly ChatMessage[]): string {
  const step = messages.filter(({ role }) => role === 'assistant').length + 1;
  const observed = messages.at(-1)!.content.replace(/^Observation \d+: /, '');
  if (task === 'calculation')
    return step === 1 ? `Action 1: Python[${reasoning!.split(' = ')[0]!}]` : `Action 2: Finish[${observed}]`;
  const titles = [
    / of (?:the )?((?:\p{Lu}\p{Ll}+ ?)+)(?:\.| is )/u.exec(reasoning!)![1]!.trim(),
    ...Array.from(reasoning!.matchAll(/It is (?:the )?(.*?)\./g), ([, title]) => title!).slice(0, -1),
  ];
  return `Action ${step}: ${step <= titles.length ? `Search[${titles[step - 1]!}]` : `Finish[${answer}]`}`;
}

const forged = { wording: 'forged', plainToolMessages: true } as const;
const python = findPython();

async function all(trials: AsyncIterable<Trial>): Promise<Trial[]> {
  const collected: Trial[] = [];
  for await (const trial of trials) collected.push(trial);
  return collected;
}

async function measure(options: Partial<StrategiesOptions> = {}): Promise<Trial[]> {
  const plan = planStrategies({ world, model: scriptedModel(skilled, forged), limit, ...options });
  return all(plan.trials());
}

function right(trials: readonly Trial[], task: TaskName, strategy: StrategyName): number {
  return compareStrategies(trials).cells.find((cell) => cell.task === task && cell.strategy === strategy)!.right;
}

describe('planStrategies', () => {
  it.skipIf(python === undefined)(
    'gives every strategy what it needs, and the same questions (needs Python 3)',
    async () => {
      const tasks = ['calculation', 'lookup', 'multihop'] as const;
      const strategies = ['direct', 'rag', 'pal', 'react'] as const;
      const trials = await measure({ tasks, strategies, code: createPythonRunner(python!) });
      expect(trials).toHaveLength(limit * tasks.length * strategies.length);
      for (const task of tasks) expect(right(trials, task, 'direct'), task).toBe(4);
      expect(right(trials, 'calculation', 'pal')).toBe(limit);
      expect(right(trials, 'calculation', 'react')).toBe(limit);
      expect(right(trials, 'lookup', 'pal')).toBe(0);
      // The search by words mostly finds the page of the name in the question among the first two.
      expect(right(trials, 'lookup', 'rag')).toBeGreaterThanOrEqual(limit - 1);
      expect(right(trials, 'lookup', 'react')).toBe(limit);
      expect(right(trials, 'multihop', 'react')).toBe(limit);
      expect(right(trials, 'multihop', 'rag')).toBeLessThan(limit);
      const [first] = trials.filter(({ task, strategy }) => task === 'multihop' && strategy === 'react');
      expect(first).toMatchObject({ status: 'answered', ended: 'finished', right: true });
      expect(first!.calls).toBeGreaterThanOrEqual(3);
      expect(first!.tokens).toBeGreaterThan(0);
      const better = compareStrategies(trials).comparisons.find(
        ({ task, first, second }) => task === 'calculation' && first === 'direct' && second === 'pal',
      );
      expect(better).toMatchObject({ questions: limit, onlyFirst: 0, onlySecond: 8, significant: true });
    },
  );

  it('shows examples of train, with the text alone where a label is asked for, and reads labels', async () => {
    const model = scriptedModel(skilled, forged);
    const trials = await all(
      planStrategies({ world, model, limit, tasks: ['sentiment'], strategies: ['direct', 'few-shot'] }).trials(),
    );
    expect([right(trials, 'sentiment', 'direct'), right(trials, 'sentiment', 'few-shot')]).toEqual([4, 4]);
    const shown = drawExamples(world, 'sentiment', 1, 3).map(
      ({ question, answer }) => `Text: ${question} Answer: ${answer}`,
    );
    const prompts = model.requests.map(({ messages }) => messages[0]!.content);
    for (const { text } of questionsOf('sentiment'))
      expect(prompts).toContain([...shown, `Text: ${text} Answer:`].join('\n\n'));
    const labels = drawExamples(world, 'topic', 1, 6).map(({ answer }) => answer);
    expect(new Set(labels).size).toBe(6);
  });

  it('says what it leaves out, and which options are wrong', () => {
    const model = scriptedModel(['?'], forged);
    const plan = planStrategies({ world, model, limit: 2, tasks: ['lookup', 'topic'], strategies: ['cot', 'direct'] });
    expect(plan.total).toBe(6);
    expect(plan.leftOut).toEqual([{ task: 'topic', strategy: 'cot', reason: 'train has no worked answers to show' }]);
    const refuse = (options: object, message: string): void =>
      expect(() => planStrategies({ world, model, ...options })).toThrow(message);
    refuse({ tasks: ['chess'] }, 'tasks: "chess" is none; there are arithmetic,');
    refuse({ strategies: ['guess'] }, 'strategies: "guess" is none; there are direct,');
    refuse({ strategies: ['direct', 'direct'] }, 'strategies: direct is given twice');
    refuse({ tasks: [] }, 'tasks: none is given');
    refuse({ limit: 0 }, 'limit: 0 is given; a whole number of at least 1 is allowed');
    refuse({ parallel: 1.5 }, 'parallel: 1.5 is given');
  });

  it('asks no question twice, the same first ones however many are asked, and as many as there are', () => {
    expect(questionsOf('lookup', 5)).toEqual(questionsOf('lookup', 50).slice(0, 5));
    const greetings = questionsOf('smalltalk', 1000);
    expect(greetings.length).toBeLessThan(120);
    expect(new Set(greetings.map(({ question }) => question)).size).toBe(greetings.length);
    expect(drawExamples(world, 'smalltalk', 1, 1000).length).toBeLessThan(200);
  });

  it('asks so many at a time, question by question, and goes on where it was stopped', async () => {
    let most = 0;
    const model = scriptedModel(() => {
      most = Math.max(most, model.open);
      return { text: 'Somewhere.', delayMs: 2 };
    }, forged);
    const plan = planStrategies({
      world,
      model,
      limit,
      tasks: ['lookup', 'multihop'],
      strategies: ['direct', 'few-shot'],
      parallel: 3,
    });
    const some: Trial[] = [];
    for await (const trial of plan.trials()) {
      some.push(trial);
      if (some.length === 8) break;
    }
    expect(most).toBe(3);
    await vi.waitFor(() => expect(model.open).toBe(0));
    expect(Math.max(...some.map(({ question }) => question))).toBeLessThanOrEqual(2);
    const rest = await all(plan.trials(some));
    expect(rest).toHaveLength(plan.total - some.length);
    const keys = [...some, ...rest].map(({ task, strategy, question }) => `${task} ${strategy} ${question}`);
    expect(new Set(keys).size).toBe(plan.total);
    expect(planStrategies({ world, model, limit: 1, tasks: ['lookup'] }).among([...some, ...rest])).toHaveLength(2);
  });

  it('ends with what the model fails with, and when it is cancelled', async () => {
    const failing = scriptedModel([new CrucibleError('unavailable', 'no server')], forged);
    await expect(measure({ model: failing, tasks: ['lookup'], strategies: ['direct'] })).rejects.toThrow('no server');
    // A question that is refused is a result; where all are, something else is wrong.
    const refusal = new CrucibleError('invalid-input', 'too long');
    const picky = scriptedModel(
      ({ messages }) => (messages[0]!.content.startsWith('Passages:') ? refusal : 'Somewhere.'),
      forged,
    );
    const trials = await measure({ model: picky, tasks: ['lookup'], strategies: ['direct', 'rag'] });
    const refused = trials.filter(({ error }) => error === 'too long');
    expect(refused.map(({ strategy }) => strategy)).toEqual(Array.from({ length: limit }, () => 'rag'));
    expect(compareStrategies(trials).cells).toMatchObject([{ failed: 0 }, { failed: limit, right: 0 }]);
    await expect(measure({ model: picky, tasks: ['lookup'], strategies: ['rag'] })).rejects.toThrow('too long');
    const stopped = new AbortController();
    const model = scriptedModel([{ text: 'x', endless: true, delayMs: 5 }], forged);
    const measured = measure({ model, tasks: ['lookup'], strategies: ['direct'], signal: stopped.signal });
    setTimeout(() => stopped.abort(), 50);
    await expect(measured).rejects.toMatchObject({ code: 'cancelled' });
  });
});
