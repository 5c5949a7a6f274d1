/** Answers to a question of the world of different worth, as a reward model learns from them. */
import type { Example, GradedAnswer, World } from '@crucible/data';
import type { Random } from '@crucible/foundation';

/** Answers to a question. */
const count = 4;
/** How often a near miss is among what can be drawn: it takes the ability to answer to tell it from a right one. */
const nearMissShare = 0.1;
/** How often, in train, the other question is one of the same task: then it takes reading to tell that it is another. */
const sameTaskShare = 0.2;

export type WrittenAnswer = Pick<GradedAnswer, 'text' | 'score' | 'finished'>;

/**
 * The right answer and three others: rambling, broken off, declining, seldom a near miss, or an answer to another question.
 * That one is worded as variously as those to the question itself, so that wording tells nothing about truth. Scores are
 * the verifier's.
 */
export function writtenAnswers(world: World, example: Example, random: Random): WrittenAnswer[] {
  const [right, ...others] = world
    .gradedAnswers(example, random)
    .filter(({ kind }) => kind !== 'wrong' || random.boolean(nearMissShare));
  return [right!, ...random.sample([...others, answerBeside(world, example, random)], count - 1)].map(
    ({ text, score, finished }) => ({ text, score, finished }),
  );
}

function answerBeside(world: World, example: Example, random: Random): WrittenAnswer {
  const { split, task, format } = example;
  const isOfSameTask = split === 'train' && random.boolean(sameTaskShare);
  const other = world.example({ split, random, ...(isOfSameTask && { task, format }) });
  const answers = world.gradedAnswers(other, random).filter(({ kind }) => kind !== 'wrong' && kind !== 'refusing');
  const { text, finished } = random.pick(answers);
  return { text, finished, score: world.verify(example, text, { finished }).score };
}
