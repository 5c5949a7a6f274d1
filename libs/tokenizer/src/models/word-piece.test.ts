import { describe, expect, it } from 'vitest';
import { WordPieceModel } from './word-piece.ts';

const tokens = ['[UNK]', 'un', '##aff', '##able', 'unaff', '##a', 'a', '##\u{1f600}', '[CLS]', '##f'];

function model(maxInputCharsPerWord = 100, reserved: number[] = []): WordPieceModel {
  const vocab = new Map(tokens.map((token, id) => [token, id]));
  return new WordPieceModel(
    { type: 'WordPiece', vocab, unkToken: '[UNK]', continuingSubwordPrefix: '##', maxInputCharsPerWord },
    new Set(reserved),
  );
}

function shown(piece: string, wordPiece = model()): string {
  const { ids, starts, ends } = wordPiece.tokenize(piece);
  return ids.map((id, i) => `${tokens[id]!}=${piece.slice(starts[i], ends[i])}`).join(' ');
}

describe('WordPieceModel', () => {
  it.each([
    ['the longest tokens from the left', 'unaffable', 'unaff=unaff ##able=able'],
    ['tokens that go on only where they do', 'aaff', 'a=a ##aff=aff'],
    ['a piece that is not used up as unknown', 'unaffables', '[UNK]=unaffables'],
    ['a piece that begins with what only goes on as unknown', 'able', '[UNK]=able'],
    ['characters of two code units', 'a\u{1f600}', 'a=a ##\u{1f600}=\u{1f600}'],
    ['no half of a character', 'a\u{1f601}', '[UNK]=a\u{1f601}'],
    ['a token that goes on where it is text', '##aff', '##aff=##aff'],
  ])('takes %s', (_what, piece, wanted) => {
    expect(shown(piece)).toBe(wanted);
  });

  it('takes pieces that are too long, in characters, as unknown', () => {
    expect(shown('aaa', model(3))).toBe('a=a ##a=a ##a=a');
    expect(shown('aaaa', model(3))).toBe('[UNK]=aaaa');
    expect(shown('a\u{1f600}a', model(3))).toBe('a=a ##\u{1f600}=\u{1f600} ##a=a');
  });

  it('never yields a reserved token, except for what is unknown', () => {
    expect(shown('[CLS]')).toBe('[CLS]=[CLS]');
    expect(shown('[CLS]', model(100, [0, 8]))).toBe('[UNK]=[CLS]');
    expect(shown('unaffable', model(100, [4]))).toBe('un=un ##aff=aff ##able=able');
  });
});
