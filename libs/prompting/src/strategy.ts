/** A way to ask: a program over a run, which yields its steps and returns what came of them. */
import type { Completion, Question, Run, StepStream } from './run.ts';
import type { Outcome } from './step.ts';

export type Need = 'retriever' | 'code' | 'tools';

export interface Strategy {
  readonly name: string;
  /** What a run must have besides a model. */
  readonly needs: readonly Need[];
  readonly run: (run: Run) => StepStream;
  /** Of strategies that ask once: the question and how its answer is read, so that several can be drawn in one call. */
  readonly once?: {
    readonly question: (run: Run) => StepStream<Question>;
    readonly read: (completion: Completion, run: Run) => Outcome;
  };
}

/** A strategy that asks once. */
export function askOnce(
  name: string,
  question: (run: Run) => StepStream<Question>,
  read: (completion: Completion, run: Run) => Outcome,
): Strategy {
  return {
    name,
    needs: [],
    once: { question, read },
    run: async function* (run) {
      return read(yield* run.ask(yield* question(run)), run);
    },
  };
}
