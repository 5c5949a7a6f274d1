/**
 * ReAct and self-consistent chains of thought, each in the place of the other where it does not do (Yao et al., 2022):
 * what is known by heart, and what must be looked up.
 */
import { labelled } from '../labelled.ts';
import type { Run, StepStream } from '../run.ts';
import type { Outcome } from '../step.ts';
import type { Strategy } from '../strategy.ts';

/** Self-consistency where ReAct comes to no answer within its steps. `react` should not force one. */
export function createReactThenSelfConsistency(react: Strategy, selfConsistency: Strategy): Strategy {
  return fallBack('react-then-self-consistency', react, selfConsistency, ({ status }) =>
    status === 'answered' ? undefined : 'no answer within its steps',
  );
}

/** ReAct where less than half of the samples agree. */
export function createSelfConsistencyThenReact(selfConsistency: Strategy, react: Strategy): Strategy {
  return fallBack('self-consistency-then-react', selfConsistency, react, ({ status, confidence = 0 }) =>
    status !== 'answered'
      ? 'no sample has an answer'
      : confidence < 0.5
        ? 'less than half of the samples agree'
        : undefined,
  );
}

function fallBack(
  name: string,
  first: Strategy,
  second: Strategy,
  reasonAgainst: (outcome: Outcome) => string | undefined,
): Strategy {
  return {
    name,
    needs: [...new Set([...first.needs, ...second.needs])],
    run: async function* (run) {
      const outcome = yield* under(first, run);
      const reason = reasonAgainst(outcome);
      if (reason === undefined) return outcome;
      if (outcome.status === 'answered') run.partial = outcome;
      yield { kind: 'fall-back', to: second.name, reason };
      const other = yield* under(second, run);
      // A weak answer is better than none.
      return other.status === 'answered' || outcome.status !== 'answered' ? other : outcome;
    },
  };
}

function under(strategy: Strategy, run: Run): StepStream {
  return labelled(strategy.run(run), { strategy: strategy.name });
}
