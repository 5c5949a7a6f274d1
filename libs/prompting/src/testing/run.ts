/** Runs a strategy to its end, in one line of a test. */
import type { RunOptions, RunResult } from '../run-strategy.ts';
import { collectRun, runStrategy } from '../run-strategy.ts';
import type { Services, Task } from '../run.ts';
import type { Step } from '../step.ts';
import type { Strategy } from '../strategy.ts';

export interface TestRun extends RunResult {
  readonly steps: readonly Step[];
  /** Of one kind. */
  readonly of: <K extends Step['kind']>(kind: K) => Extract<Step, { kind: K }>[];
}

export async function run(
  strategy: Strategy,
  question: string | Task,
  services: Services,
  options?: RunOptions,
): Promise<TestRun> {
  const task = typeof question === 'string' ? { question } : question;
  const result = await collectRun(runStrategy(strategy, task, services, options));
  return {
    ...result,
    of: <K extends Step['kind']>(kind: K) =>
      result.steps.filter((step): step is Extract<Step, { kind: K }> => step.kind === kind),
  };
}

export const number = { kind: 'number' } as const;
