import { expect, it } from 'vitest';
import { compareStrategies } from './compare-strategies.ts';
import type { Trial } from './evaluate-strategies.ts';

function trials(strategy: Trial['strategy'], right: string, more: Partial<Trial> = {}): Trial[] {
  return Array.from(right, (mark, question) => ({
    task: 'lookup',
    strategy,
    question,
    right: mark === '+',
    status: mark === '?' ? 'not-found' : 'answered',
    ended: 'finished',
    answer: '',
    tokens: 10 + question,
    calls: 1,
    seconds: 0.5,
    ...more,
  }));
}

it('means, intervals, and pairs on the questions that both were asked', () => {
  const { cells, comparisons } = compareStrategies([
    ...trials('rag', '+++++++++?'),
    ...trials('direct', '----------'),
    ...trials('few-shot', '++--'),
    ...trials('direct', '+', { task: 'topic' }),
  ]);
  expect(cells.map(({ task, strategy }) => `${task} ${strategy}`)).toEqual([
    'lookup direct',
    'lookup few-shot',
    'lookup rag',
    'topic direct',
  ]);
  expect(cells[2]).toEqual({
    task: 'lookup',
    strategy: 'rag',
    questions: 10,
    right: 9,
    accuracy: 0.9,
    low: expect.closeTo(0.5958, 3) as number,
    high: expect.closeTo(0.9821, 3) as number,
    unanswered: 0.1,
    failed: 0,
    tokens: 14.5,
    calls: 1,
    seconds: 0.5,
  });
  const pair = { task: 'lookup', onlyFirst: 0 };
  expect(comparisons).toEqual([
    { ...pair, first: 'direct', second: 'few-shot', questions: 4, onlySecond: 2, p: 0.5, significant: false },
    { ...pair, first: 'direct', second: 'rag', questions: 10, onlySecond: 9, p: 2 ** -8, significant: true },
    { ...pair, first: 'few-shot', second: 'rag', questions: 4, onlySecond: 2, p: 0.5, significant: false },
  ]);
});
