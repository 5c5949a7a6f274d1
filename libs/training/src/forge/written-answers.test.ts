import { createWorld, type Example, type Split } from '@crucible/data';
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { type WrittenAnswer, writtenAnswers } from './written-answers.ts';

const world = createWorld({ seed: 1 });

function draw(split: Split, count: number): { readonly example: Example; readonly answers: WrittenAnswer[] }[] {
  const random = Random.seeded(2).fork(split);
  return Array.from({ length: count }, () => {
    const example = world.example({ split, random });
    return { example, answers: writtenAnswers(world, example, random) };
  });
}

const needless =
  /I hope this helps|Please ask me again|There is much more|I am always here|Thank you|Let me see|This is what I found|I looked at it/;

describe('written answers', () => {
  const drawn = draw('train', 400);

  it('begin with the right one, and have the scores that the verifier gives', () => {
    for (const { example, answers } of drawn) {
      expect(answers).toHaveLength(4);
      expect(answers[0]).toEqual({ text: example.response, score: 1, finished: true });
      for (const { text, score, finished } of answers)
        expect(score).toBe(world.verify(example, text, { finished }).score);
    }
  });

  it('ramble whether they are right or not', () => {
    const answers = drawn.flatMap((one) => one.answers).filter(({ finished }) => finished);
    const rambling = (some: readonly WrittenAnswer[]): number =>
      some.filter(({ text }) => needless.test(text)).length / some.length;
    expect(rambling(answers.filter(({ score }) => score >= 0.6))).toBeGreaterThan(0.2);
    expect(rambling(answers.filter(({ score }) => score < 0.2))).toBeGreaterThan(0.2);
  });

  it('are near misses in few groups', () => {
    const groups = drawn.filter(({ answers }) => answers.some(({ score }) => score === 0.1)).length;
    expect(groups / drawn.length).toBeLessThan(0.3);
  });

  it('follow from the random numbers alone', () => {
    expect(draw('heldout', 5)).toEqual(draw('heldout', 5));
  });
});
