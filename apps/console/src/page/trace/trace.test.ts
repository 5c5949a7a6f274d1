import { expect, test } from 'vitest';
import {
  createLexicalRetriever,
  createStrategy,
  type ChatEvent,
  type ChatModel,
  runStrategy,
  type Step,
  type StrategyOptions,
} from '@crucible/prompting';
import { type CallEntry, type Group, parseStep, Trace } from './trace.ts';

/** Says its answers in turn, a few characters at a time. */
function model(answers: readonly string[]): ChatModel {
  let next = 0;
  return {
    name: 'scripted',
    wording: 'general',
    plainToolMessages: false,
    nativeTools: false,
    mostSamples: 1,
    async *generate(): AsyncGenerator<ChatEvent, void, undefined> {
      const text = answers[next++ % answers.length]!;
      await Promise.resolve();
      for (const piece of text.match(/[\s\S]{1,5}/g) ?? []) yield { kind: 'text', sample: 0, text: piece };
      yield { kind: 'end', sample: 0, finish: 'stop' };
    },
  };
}

const documents = [{ id: 'tea.md', title: 'Tea', text: 'Green tea is steeped at 75 degrees.' }];

async function stepsOf(strategy: string, answers: readonly string[], options: StrategyOptions = {}): Promise<Step[]> {
  const run = runStrategy(
    createStrategy(strategy, options),
    { question: 'How hot is green tea steeped?' },
    { model: model(answers), retriever: createLexicalRetriever(documents) },
  );
  const steps: Step[] = [];
  // Over JSON, as the page gets them
  for await (const step of run) steps.push(parseStep(JSON.parse(JSON.stringify(step)))!);
  return steps;
}

test('what a model was asked and what it wrote are one entry, and the answer has its citations', async () => {
  const trace = new Trace();
  for (const step of await stepsOf('rag', ['Green tea is steeped at 75 degrees [1].'])) trace.add(step);
  const view = trace.view();
  expect(view.rows.map((row) => (row.kind === 'step' ? row.step.kind : row.kind))).toEqual([
    'passages',
    'call',
    'answer',
  ]);
  const call = view.rows[1] as CallEntry;
  expect(call.completions).toEqual([
    { text: 'Green tea is steeped at 75 degrees [1].', finish: 'stop', toolCalls: [] },
  ]);
  expect(call.restated).toBe(true);
  expect(view.answer!.citations!.map(({ number, passage }) => [number, passage.start, passage.end])).toEqual([
    [1, 0, documents[0]!.text.length],
  ]);
  expect(view.end!.reason).toBe('finished');
  expect(view.doing).toBe('Done');
});

test('a text grows while it is written, and entries that do not change stay the same objects', async () => {
  const steps = await stepsOf('rag', ['Green tea is steeped at 75 degrees [1].']);
  const trace = new Trace();
  const texts: string[] = [];
  const passages = new Set<unknown>();
  for (const step of steps) {
    trace.add(step);
    const { rows } = trace.view();
    passages.add(rows[0]);
    const call = rows.find((row) => row.kind === 'call');
    if (step.kind === 'text') texts.push(call!.completions[0]!.text);
  }
  expect(texts.slice(0, 3)).toEqual(['Green', 'Green tea ', 'Green tea is st']);
  expect(passages.size).toBe(1);
});

test('looking between any two steps gives the same in the end as looking once', async () => {
  const steps = await stepsOf('self-consistency', ['So it is 75.', 'The answer is 75.', 'So it is 80.'], {
    samples: 3,
  });
  const [often, once] = [new Trace(), new Trace()];
  for (const step of steps) {
    often.add(step);
    often.view();
    once.add(step);
  }
  expect(often.view()).toEqual(once.view());
});

test('samples are groups, however their steps come', async () => {
  const trace = new Trace();
  for (const step of await stepsOf('self-consistency', ['So it is 75.', 'The answer is 75.'], { samples: 3 }))
    trace.add(step);
  const { rows } = trace.view();
  const groups = rows.filter((row): row is Group => row.kind === 'group');
  expect(groups.map(({ sample }) => sample)).toEqual([[0], [1], [2]]);
  for (const { entries } of groups) expect(entries.some(({ kind }) => kind === 'call')).toBe(true);
  expect(rows.some((row) => row.kind === 'step' && row.step.kind === 'vote')).toBe(true);
});

test('steps that come again change nothing', async () => {
  const steps = await stepsOf('rag', ['75 degrees [1].']);
  const trace = new Trace();
  for (const step of [...steps, ...steps.slice(0, 4)]) trace.add(step);
  const once = new Trace();
  for (const step of steps) once.add(step);
  expect(trace.view()).toEqual(once.view());
  expect(trace.lastStep).toBe(steps.length);
});

test('what is no step is none', () => {
  for (const bad of [null, 1, 'x', [], {}, { kind: 'text' }, { kind: 'constructor', number: 1, elapsedMs: 0 }])
    expect(parseStep(bad)).toBeUndefined();
});
