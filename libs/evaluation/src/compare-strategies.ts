/** What trials come to: a share of right answers for every task and strategy, and which of them differ. */
import { type TaskName, taskNames } from '@crucible/data';
import { type StrategyName, strategyNames } from '@crucible/prompting';
import type { Trial } from './evaluate-strategies.ts';
import { holm, mcnemar } from './mcnemar.ts';
import { wilson } from './wilson.ts';

/** One strategy on one task; means over its questions. */
export interface StrategyCell {
  readonly task: TaskName;
  readonly strategy: StrategyName;
  readonly questions: number;
  readonly right: number;
  readonly accuracy: number;
  /** The 95 % interval of the accuracy. */
  readonly low: number;
  readonly high: number;
  /** Share of the questions without an answer: none came, or it was said that there is none. */
  readonly unanswered: number;
  /** Questions that the model refused; they count as wrong. */
  readonly failed: number;
  readonly tokens: number;
  readonly calls: number;
  readonly seconds: number;
}

/** Two strategies on the questions of a task that both were asked. */
export interface StrategyComparison {
  readonly task: TaskName;
  readonly first: StrategyName;
  readonly second: StrategyName;
  readonly questions: number;
  /** Questions that the one answers right and the other does not. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Of McNemar's exact test. */
  readonly p: number;
  /** Below 0.05, all pairs of the task considered (Holm). */
  readonly significant: boolean;
}

export interface StrategySummary {
  readonly cells: readonly StrategyCell[];
  readonly comparisons: readonly StrategyComparison[];
}

export function compareStrategies(trials: readonly Trial[]): StrategySummary {
  const groups = Map.groupBy(trials, ({ task, strategy }) => `${task} ${strategy}`);
  const byTask = taskNames.map((task) => {
    const strategies = strategyNames.flatMap((strategy): ByStrategy => {
      const own = groups.get(`${task} ${strategy}`);
      return own === undefined ? [] : [[strategy, own]];
    });
    return [task, strategies] as const;
  });
  return {
    cells: byTask.flatMap(([task, strategies]) => strategies.map(([strategy, own]) => cellOf(task, strategy, own))),
    comparisons: byTask.flatMap(([task, strategies]) => comparisonsOf(task, strategies)),
  };
}

function cellOf(task: TaskName, strategy: StrategyName, trials: readonly Trial[]): StrategyCell {
  const questions = trials.length;
  const right = trials.filter((trial) => trial.right).length;
  const mean = (of: (trial: Trial) => number): number => trials.reduce((sum, trial) => sum + of(trial), 0) / questions;
  return {
    task,
    strategy,
    questions,
    right,
    accuracy: right / questions,
    ...wilson(right, questions),
    unanswered: mean(({ status }) => (status === 'answered' ? 0 : 1)),
    failed: trials.filter(({ error }) => error !== undefined).length,
    tokens: mean(({ tokens }) => tokens),
    calls: mean(({ calls }) => calls),
    seconds: mean(({ seconds }) => seconds),
  };
}

type ByStrategy = readonly (readonly [StrategyName, readonly Trial[]])[];

function comparisonsOf(task: TaskName, strategies: ByStrategy): StrategyComparison[] {
  const pairs = strategies.flatMap(([first, ofFirst], i) =>
    strategies.slice(i + 1).map(([second, ofSecond]) => {
      const rightOfSecond = new Map(ofSecond.map(({ question, right }) => [question, right]));
      const both = ofFirst.filter(({ question }) => rightOfSecond.has(question));
      const differing = both.filter(({ question, right }) => right !== rightOfSecond.get(question));
      const onlyFirst = differing.filter(({ right }) => right).length;
      const onlySecond = differing.length - onlyFirst;
      return { task, first, second, questions: both.length, onlyFirst, onlySecond, p: mcnemar(onlyFirst, onlySecond) };
    }),
  );
  const significant = holm(pairs.map(({ p }) => p));
  return pairs.map((pair, i) => ({ ...pair, significant: significant[i]! }));
}
