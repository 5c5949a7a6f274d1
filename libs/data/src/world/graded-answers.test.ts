import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { taskNames } from './example.ts';
import type { AnswerKind } from './graded-answers.ts';
import { demonstrationMix } from './graded-answers.ts';
import { splits } from './split.ts';
import { createWorld, formatsOf } from './world.ts';

const world = createWorld();

const cases = taskNames.flatMap((task) => formatsOf(task).map((format) => ({ task, format })));

describe.each(cases)('graded answers of $task, $format', ({ task, format }) => {
  it('are graded as the verifier judges them', () => {
    const random = Random.seeded(21);
    for (let i = 0; i < 300; i++) {
      const example = world.example({ task, format, split: splits[i % 3]!, random });
      for (const { text, score, kind, finished } of world.gradedAnswers(example, random)) {
        const verdict = world.verify(example, text, { finished });
        expect(verdict.score, `${kind}: ${text}\n${JSON.stringify(example)}`).toBe(score);
        expect(verdict.correct, text).toBe(['right', 'worked', 'rambling'].includes(kind));
      }
    }
  });

  it('have one of every kind', () => {
    const random = Random.seeded(22);
    const kinds: AnswerKind[] = ['right', 'rambling', 'wrong', 'refusing', 'truncated'];
    if (task === 'arithmetic' && format === 'plain') kinds.splice(1, 0, 'worked');
    for (let i = 0; i < 20; i++) {
      const answers = world.gradedAnswers(world.example({ task, format, split: 'train', random }), random);
      expect(answers.map(({ kind }) => kind)).toEqual(kinds);
    }
  });
});

describe('graded answers', () => {
  it('are scored as documented', () => {
    const random = Random.seeded(23);
    const example = world.example({ task: 'arithmetic', format: 'plain', split: 'train', random });
    const scores = Object.fromEntries(world.gradedAnswers(example, random).map(({ kind, score }) => [kind, score]));
    expect(scores).toEqual({ right: 1, worked: 1, rambling: 0.6, wrong: 0.1, refusing: 0.2, truncated: 0.3 });
  });
});

describe('demonstrations', () => {
  const kindsOf = (count: number, mix?: Parameters<typeof world.demonstration>[2]): Partial<Record<string, number>> => {
    const random = Random.seeded(24);
    const kinds: Partial<Record<string, number>> = {};
    for (let i = 0; i < count; i++) {
      const example = world.example({ task: 'arithmetic', format: 'plain', split: 'train', random });
      const { kind } = world.demonstration(example, random, mix);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
    return kinds;
  };

  it('are mostly ideal, and otherwise as often of each kind as the mix says', () => {
    const kinds = kindsOf(10_000);
    for (const [kind, weight] of Object.entries(demonstrationMix)) {
      expect(Math.abs(kinds[kind]! / 10_000 - weight), kind).toBeLessThan(0.015);
    }
    expect(Object.values(demonstrationMix).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
  });

  it('follow weights of one’s own', () => {
    expect(kindsOf(50, { right: 0, worked: 0, rambling: 0, refusing: 0 })).toEqual({ wrong: 50 });
  });

  it('are ideal where an example has nothing to be worked', () => {
    const random = Random.seeded(25);
    const example = world.example({ task: 'topic', split: 'train', random });
    const mix = { right: 0, worked: 1, rambling: 0, wrong: 0, refusing: 0 };
    expect(world.demonstration(example, random, mix)).toEqual({ text: example.response, kind: 'right' });
  });
});
