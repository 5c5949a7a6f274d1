/** Answers of different worth to one prompt, as batches for the reward model. */
import { invalidInput, Random } from '@crucible/foundation';
import { floats, type FloatArray, type IntArray, ints, type NdArray } from '@crucible/tensor';
import { packSequences, type PackedRows } from '@crucible/inference';
import { EpochOrder } from './epoch-order.ts';

export interface GradedAnswer {
  /** Prompt and answer, the token that ends it included. */
  readonly ids: readonly number[];
  /** Larger is better; only the order within a group matters. */
  readonly score: number;
}

/** At least two answers to one prompt, of at least two scores. */
export type AnswerGroup = readonly GradedAnswer[];

/** Where reward-model batches come from: the groups of `step` are the same whenever they are asked for. */
export interface AnswerSource {
  readonly groups: (step: number, count: number) => readonly AnswerGroup[];
}

export function generatedAnswers(next: (random: Random) => AnswerGroup, seed: number): AnswerSource {
  return {
    groups: (step, count) => {
      const random = Random.seeded(seed).fork(`answers ${step}`);
      return Array.from({ length: count }, () => next(random));
    },
  };
}

/** Every epoch goes once through all groups, in a new order. */
export function finiteAnswers(all: readonly AnswerGroup[], seed: number): AnswerSource {
  if (all.length === 0) throw invalidInput('preferences: there are no answers to learn from');
  const order = new EpochOrder(all, Random.seeded(seed));
  return { groups: (step, count) => order.slice(step * count, count) };
}

export interface AnswerBatch extends PackedRows {
  readonly [name: string]: NdArray;
  /** Index of each answer's last token, counted over all rows, int32 [answers]. */
  readonly ends: IntArray;
  /** Pairs of answers of one group, int32 [pairs]: `better[i]` has the higher score. */
  readonly better: IntArray;
  readonly worse: IntArray;
  /** Weight of each pair: every group counts the same; 0 for padding. float32 [pairs]. */
  readonly weights: FloatArray;
}

interface AnswerBatchOptions {
  readonly time: number;
  readonly pad: number;
}

/** The groups in `parts` of as many: losses and gradients of the parts add up to those of one batch of all of them. */
export function answerParts(groups: readonly AnswerGroup[], parts: number, options: AnswerBatchOptions): AnswerBatch[] {
  const size = groups.length / parts;
  return Array.from({ length: parts }, (_, i) =>
    answerBatch(groups.slice(i * size, (i + 1) * size), options, groups.length),
  );
}

/**
 * All pairs of different scores of all groups (ties are dropped), the pairs of one group together weighing as much as
 * those of any other (Ouyang et al. 2022, section 3.5). `whole`: how many groups there are, when these are a part.
 */
export function answerBatch(
  groups: readonly AnswerGroup[],
  { time, pad }: AnswerBatchOptions,
  whole = groups.length,
): AnswerBatch {
  const answers = groups.flat();
  const { packed, places } = packSequences(
    answers.map(({ ids }) => ids.slice(-time)),
    { time, pad, rowMultiple: 2 },
  );
  const pairs = groups.flatMap((group, g) => {
    const first = groups.slice(0, g).reduce((sum, { length }) => sum + length, 0);
    return orderedPairs(group).map(([better, worse], _i, all) => {
      return { better: first + better, worse: first + worse, weight: 1 / (all.length * whole) };
    });
  });
  const column = (length: number, value: (i: number) => number | undefined): number[] =>
    Array.from({ length }, (_, i) => value(i) ?? 0);
  const answerCount = roundUp(answers.length, 16);
  const pairCount = roundUp(pairs.length, 32);
  return {
    ...packed,
    ends: ints(
      [answerCount],
      column(answerCount, (i) => places[i]?.at(-1)),
    ),
    better: ints(
      [pairCount],
      column(pairCount, (i) => pairs[i]?.better),
    ),
    worse: ints(
      [pairCount],
      column(pairCount, (i) => pairs[i]?.worse),
    ),
    weights: floats(
      [pairCount],
      column(pairCount, (i) => pairs[i]?.weight),
    ),
  };
}

/** Indices (better, worse) of all pairs of different scores. */
export function orderedPairs(group: AnswerGroup): [better: number, worse: number][] {
  return group.flatMap((a, i) => group.flatMap((b, j): [number, number][] => (a.score > b.score ? [[i, j]] : [])));
}

function roundUp(size: number, multiple: number): number {
  return Math.max(1, Math.ceil(size / multiple)) * multiple;
}
