import { describe, expect, it } from 'vitest';
import { WordLevelModel } from './word-level.ts';

const vocab = new Map(['[UNK]', 'iron', '[CLS]', 'Iron'].map((token, id) => [token, id]));

describe('WordLevelModel', () => {
  it('takes a piece for a token, or for unknown', () => {
    const model = new WordLevelModel({ type: 'WordLevel', vocab, unkToken: '[UNK]' }, new Set([2]));
    expect(model.tokenize('iron')).toEqual({ ids: [1], starts: [0], ends: [4] });
    expect(model.tokenize('irons')).toEqual({ ids: [0], starts: [0], ends: [5] });
    expect(model.tokenize('[CLS]').ids).toEqual([0]);
  });

  it('says so where nothing stands for what is unknown', () => {
    const model = new WordLevelModel({ type: 'WordLevel', vocab, unkToken: '<unk>' }, new Set());
    expect(() => model.tokenize('x')).toThrow('unk_token: the text has what is not in the vocabulary');
  });
});
