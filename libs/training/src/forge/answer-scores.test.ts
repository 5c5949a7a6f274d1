import { describe, expect, it } from 'vitest';
import { answerScores } from './answer-scores.ts';

describe('answerScores()', () => {
  it('passes over case, punctuation and articles', () => {
    expect(answerScores('The Eiffel Tower!', 'eiffel tower')).toEqual({ exact: 1, f1: 1 });
  });

  it('gives credit for the words that are shared, each counted once', () => {
    // 2 of 3 words right, 2 of 4 found
    expect(answerScores('red blue blue', 'red blue green white')).toEqual({
      exact: 0,
      f1: (2 * (2 / 3) * 0.5) / (2 / 3 + 0.5),
    });
  });

  it('gives none where nothing is shared, or one side is empty', () => {
    expect(answerScores('yes', 'no')).toEqual({ exact: 0, f1: 0 });
    expect(answerScores('', 'no')).toEqual({ exact: 0, f1: 0 });
    expect(answerScores('.', 'the')).toEqual({ exact: 1, f1: 1 });
  });
});
