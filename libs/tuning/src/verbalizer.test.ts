import type { Tokenizer } from '@crucible/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import { tinyTokenizer } from './testing/tiny-encoder.ts';
import {
  calibrated,
  createVerbalizer,
  meanDistribution,
  searchLabelWords,
  softmaxOf,
  verbalizerWeights,
} from './verbalizer.ts';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await tinyTokenizer();
});

const id = (token: string): number => tokenizer.tokenToId(token)!;

describe('createVerbalizer', () => {
  it.each([
    [{ no: ['bad'] }, 'label words: label "yes" has none; each of no, yes needs one\n  yes=\n  ^^^'],
    [{ no: ['bad'], yes: [] }, 'label words: label "yes" has none'],
    [
      { no: ['bad'], yes: ['good'], maybe: ['so'] },
      'label words: there is no label "maybe"; there are no, yes\n  maybe=so\n  ^^^^^',
    ],
    [
      { no: ['bad'], yes: ['good', '\u6f22'] },
      'label words: "\u6f22" of label "yes" is not in the model\'s vocabulary\n  yes=good,\u6f22\n           ^',
    ],
    [
      { no: ['bad'], yes: ['good', 'bad'] },
      'label words: "bad" stands for both "no" and "yes"\n  yes=good,bad\n           ^^^',
    ],
    [
      { no: ['bad'], yes: [' '] },
      'label words: " " of label "yes" is not in the model\'s vocabulary\n  yes= \n      ^',
    ],
  ])('refuses %j', (words, message) => {
    expect(() => createVerbalizer(['no', 'yes'], words, tokenizer)).toThrow(message);
  });

  it('weighs words, and the tokens of a word, alike', () => {
    const words = { no: ['bad', 'terrible'], yes: ['good', 'very good'] };
    const mean = verbalizerWeights(createVerbalizer(['no', 'yes'], words, tokenizer));
    const at = (ids: readonly number[], weights: readonly number[], token: string): number =>
      weights[ids.indexOf(id(token))]!;
    expect(new Set(mean.ids)).toEqual(new Set(['bad', 'terrible', 'good', 'very'].map(id)));
    expect(['bad', 'terrible', 'good', 'very'].map((token) => at(mean.ids, mean.weights[0]!, token))).toEqual([
      0.5, 0.5, 0, 0,
    ]);
    // "good" by itself a half, as part of "very good" a quarter
    expect(['bad', 'terrible', 'good', 'very'].map((token) => at(mean.ids, mean.weights[1]!, token))).toEqual([
      0, 0, 0.75, 0.25,
    ]);
    const first = verbalizerWeights(createVerbalizer(['no', 'yes'], words, tokenizer, { severalTokens: 'first' }));
    expect(['good', 'very'].map((token) => at(first.ids, first.weights[1]!, token))).toEqual([0.5, 0.5]);
  });
});

describe('distributions', () => {
  it('softmax of scores', () => {
    const [a, b] = softmaxOf([Math.log(3) + 500, 500]);
    expect(a).toBeCloseTo(0.75, 12);
    expect(b).toBeCloseTo(0.25, 12);
  });

  it('calibration divides by the prior and adds up to one', () => {
    // 0.6 / 0.9 = 0.667 and 0.4 / 0.1 = 4
    const [a, b] = calibrated([0.6, 0.4], [0.9, 0.1]);
    expect(a).toBeCloseTo(1 / 7, 12);
    expect(b).toBeCloseTo(6 / 7, 12);
    // What is no better than the prior says nothing.
    expect(calibrated([0.9, 0.1], [0.9, 0.1])).toEqual([0.5, 0.5]);
  });

  it('mean', () => {
    expect(
      meanDistribution([
        [1, 0],
        [0.5, 0.5],
      ]),
    ).toEqual([0.75, 0.25]);
  });
});

describe('searchLabelWords', () => {
  it('ranks by how much likelier a word is for a label than for the others', () => {
    const rows = [
      [-1, -5, -2, -9],
      [-3, -5, -2, -9],
      [-6, -1, -2, -1],
    ].map((row) => Float32Array.from(row));
    const options = { allowed: (token: number) => token !== 3, count: 2 };
    // Label 0: -2 + 6 = 4 for token 0, 0 for token 2, -4 for token 1. Label 1: the negatives, and token 2 is taken.
    expect(searchLabelWords(rows, [0, 0, 1], 2, options)).toEqual([
      [
        { id: 0, score: 4 },
        { id: 2, score: 0 },
      ],
      [{ id: 1, score: 4 }],
    ]);
  });
});
