import { compareStrategies, type Trial } from '@crucible/evaluation';
import { expect, it } from 'vitest';
import { strategyTable } from './strategy-table.ts';

function trials(strategy: Trial['strategy'], right: string): Trial[] {
  return Array.from(right, (mark, question) => ({
    task: 'calculation',
    strategy,
    question,
    right: mark === '+',
    status: 'answered',
    ended: mark === '!' ? 'error' : 'finished',
    ...(mark === '!' && { error: 'too long' }),
    answer: '',
    tokens: 40,
    calls: 1,
    seconds: 0.25,
  }));
}

it('shows shares with their intervals and cost, what is better than what, and what is missing', () => {
  const summary = compareStrategies([
    ...trials('pal', '++++++++++++++++++++'),
    ...trials('direct', '--------------------'),
    ...trials('react', '++++++++++++++++++!!'),
  ]);
  const leftOut = ['topic', 'sentiment'].map((task) => ({
    task: task as 'topic',
    strategy: 'cot' as const,
    reason: 'train has no worked answers to show',
  }));
  expect(strategyTable('crucible-d@3', summary, leftOut).split('\n')).toEqual([
    'crucible-d@3               right %  95 % interval  tokens  calls  seconds  better than',
    'calculation, 20 questions',
    '  direct                       0.0    0.0 to 16.1      40    1.0     0.25',
    '  pal                        100.0  83.9 to 100.0      40    1.0     0.25  direct',
    '  react                       90.0   69.9 to 97.2      40    1.0     0.25  direct',
    '',
    "Tokens, calls to the model and seconds are means of a question. Better: by McNemar's exact test on the same questions,",
    'at 5 % for all pairs of a task together (Holm).',
    '',
    'Refused by the model, and counted as wrong: react on calculation 2 of 20',
    '',
    'Not asked: cot: train has no worked answers to show (topic, sentiment)',
  ]);
});
