import '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { tinyAnswerGroups } from '../testing/tiny-stages.ts';
import { answerBatch, type AnswerGroup, finiteAnswers, generatedAnswers } from './answer-groups.ts';

function group(...answers: [ids: number[], score: number][]): AnswerGroup {
  return answers.map(([ids, score]) => ({ ids, score }));
}

describe('a batch of answers', () => {
  const groups = [group([[1, 2, 3], 0.5], [[1, 4], 2], [[1, 5, 6, 7], 0.5]), group([[8, 9], 1], [[8], 0])];

  it('has all pairs of different scores, the better one first, every group weighing the same', () => {
    const { better, worse, weights } = answerBatch(groups, { time: 8, pad: 0 });
    const pairs = Array.from(weights.data, (weight, i) => [better.data[i]!, worse.data[i]!, weight] as const);
    const real = pairs.filter(([, , weight]) => weight > 0);
    expect(real.map(([b, w]) => [b, w])).toEqual([
      [1, 0],
      [1, 2],
      [3, 4],
    ]);
    expect(real.map(([, , weight]) => weight)).toBeAllClose([0.25, 0.25, 0.5]);
  });

  it('says where every answer ends', () => {
    const { ids, ends } = answerBatch(groups, { time: 8, pad: 0 });
    expect(Array.from(ends.data.subarray(0, 5), (end) => ids.data[end])).toEqual([3, 4, 7, 9, 8]);
  });

  it('keeps the end of answers that are longer than a row', () => {
    const { ids, ends } = answerBatch(groups, { time: 2, pad: 0 });
    const last = ends.data[2]!;
    expect([ids.data[last - 1], ids.data[last]]).toEqual([6, 7]);
  });
});

describe('the groups of a step', () => {
  const groups = tinyAnswerGroups(7);

  it('depend on the seed and the number of the step alone', () => {
    const source = finiteAnswers(groups, 1);
    const fifth = source.groups(5, 3);
    source.groups(0, 3);
    expect(source.groups(5, 3)).toEqual(fifth);
    const made = generatedAnswers((random) => random.pick(groups), 1);
    const third = made.groups(3, 4);
    made.groups(9, 4);
    expect(made.groups(3, 4)).toEqual(third);
  });

  it('go through all of them once an epoch, in another order', () => {
    const source = finiteAnswers(groups, 2);
    const order = Array.from({ length: 7 }, (_, step) =>
      source.groups(step, 4).map((own) => groups.indexOf(own)),
    ).flat();
    const epochs = [0, 1, 2, 3].map((epoch) => order.slice(epoch * 7, (epoch + 1) * 7));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(2);
  });

  it('need at least one', () => {
    expect(() => finiteAnswers([], 1)).toThrow('preferences: there are no answers to learn from');
  });
});
