/**
 * Self-consistency (Wang et al., 2022): several answers are drawn, and the one that most of them come to is taken.
 * It goes over any strategy; over PAL the results of programs are voted on.
 */
import { invalidInput } from '@crucible/foundation';
import type { Run, StepStream } from '../run.ts';
import { labelled } from '../labelled.ts';
import { sideBySide } from '../side-by-side.ts';
import type { Outcome } from '../step.ts';
import type { Strategy } from '../strategy.ts';

export interface SelfConsistencyOptions {
  /** What is drawn several times. */
  readonly of: Strategy;
  /** 1 to 100. Default 5. (The papers take 21 to 40.) */
  readonly samples?: number;
  /** Default 0.7; where the run's own temperature is above 0, that. */
  readonly temperature?: number;
  /** How many are drawn at the same time. Default 4. */
  readonly concurrency?: number;
}

const mostSamples = 100;

export function createSelfConsistency({
  of,
  samples = 5,
  temperature = 0.7,
  concurrency = 4,
}: SelfConsistencyOptions): Strategy {
  const check = (name: string, value: number, isRight: boolean, allowed: string): void => {
    if (!isRight) throw invalidInput(`${name}: ${value} is given; ${allowed} is allowed`, { at: name });
  };
  check(
    'samples',
    samples,
    Number.isInteger(samples) && samples >= 1 && samples <= mostSamples,
    `a whole number from 1 to ${mostSamples}`,
  );
  check('temperature', temperature, temperature > 0 && temperature <= 2, 'a number above 0, up to 2');
  check('concurrency', concurrency, Number.isInteger(concurrency) && concurrency >= 1, 'a whole number of at least 1');
  return {
    name: 'self-consistency',
    needs: of.needs,
    run: async function* (run) {
      const sampling = { ...run.sampling, temperature: (run.sampling.temperature ?? 0) || temperature };
      const outcomes: Outcome[] = [];
      const noted = (outcome: Outcome): Outcome => {
        outcomes.push(outcome);
        // If the run must end now, those that are there have voted.
        run.partial = electionOf(outcomes).winner;
        return outcome;
      };
      const draws =
        of.once && run.model.mostSamples > 1
          ? drawnTogether(of, run, samples, sampling)
          : drawnApart(of, run, samples, sampling);
      const drawn = yield* sideBySide(
        draws.map(
          (draw) =>
            async function* () {
              return (yield* draw()).map(noted);
            },
        ),
        concurrency,
      );
      const { winner, votes, invalid, tied } = electionOf(drawn.flat());
      yield { kind: 'vote', votes, invalid, tied };
      return winner;
    },
  };
}

type Draws = (() => StepStream<Outcome[]>)[];

/** Each sample a run of its own. */
function drawnApart(of: Strategy, run: Run, samples: number, sampling: Run['sampling']): Draws {
  return Array.from(
    { length: samples },
    (_, sample) =>
      async function* () {
        return [yield* labelled(of.run(run.fork(sample, sampling)), { strategy: of.name, sample })];
      },
  );
}

/** As many samples in one call as the model allows: the prompt is read once for all of them. */
function drawnTogether(of: Strategy, run: Run, samples: number, sampling: Run['sampling']): Draws {
  const { mostSamples: most } = run.model;
  return Array.from(
    { length: Math.ceil(samples / most) },
    (_, group) =>
      async function* () {
        const each = run.fork(group, sampling);
        const count = Math.min(most, samples - group * most);
        const steps = async function* (): StepStream<Outcome[]> {
          const question = yield* of.once!.question(each);
          const completions = yield* each.askForSeveral({ ...question, samples: count });
          return completions.map((completion) => of.once!.read(completion, each));
        };
        return yield* labelled(steps(), { strategy: of.name, sample: group * most });
      },
  );
}

export interface Election {
  readonly winner: Outcome;
  /** Most votes first. */
  readonly votes: readonly { readonly key: string; readonly count: number }[];
  /** Samples without an answer; they have no vote. */
  readonly invalid: number;
  /** Another answer has as many votes as the winner; the one that was drawn first has won. */
  readonly tied: boolean;
}

export function electionOf(outcomes: readonly Outcome[]): Election {
  const counts = new Map<string, { count: number; readonly first: Outcome }>();
  for (const outcome of outcomes) {
    if (outcome.key === undefined) continue;
    const known = counts.get(outcome.key);
    if (known) known.count++;
    else counts.set(outcome.key, { count: 1, first: outcome });
  }
  // Sorting is stable, and the map is in the order of the first votes.
  const ranking = [...counts].sort(([, a], [, b]) => b.count - a.count);
  const valid = ranking.reduce((sum, [, { count }]) => sum + count, 0);
  const votes = ranking.map(([key, { count }]) => ({ key, count }));
  const [best, second] = ranking;
  const invalid = outcomes.length - valid;
  if (best === undefined)
    return {
      winner: outcomes.find(({ status }) => status === 'not-found') ?? { status: 'none', text: '' },
      votes,
      invalid,
      tied: false,
    };
  const { count, first } = best[1];
  return {
    winner: { ...first, confidence: count / outcomes.length },
    votes,
    invalid,
    tied: second?.[1].count === count,
  };
}
