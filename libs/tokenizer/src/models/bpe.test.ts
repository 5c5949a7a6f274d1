import { describe, expect, it } from 'vitest';
import { byteAlphabet } from '../byte-alphabet.ts';
import { type BpeDefinition, BpeModel } from './bpe.ts';

const id = (byte: string): number => byte.charCodeAt(0);
/** Bytes have themselves as ids; "ab" is 256, "bc" 257, "abc" 258, and "cab" 259 is made by no merge. */
const bytes: BpeDefinition = {
  type: 'BPE',
  vocab: new Map([...byteAlphabet, 'ab', 'bc', 'abc', 'cab'].map((token, i) => [token, i])),
  merges: [
    { left: id('a'), right: id('b'), merged: 256 },
    { left: id('b'), right: id('c'), merged: 257 },
    { left: 256, right: id('c'), merged: 258 },
  ],
  unkToken: null,
  continuingSubwordPrefix: null,
  endOfWordSuffix: null,
  fuseUnk: false,
  byteFallback: false,
  ignoreMerges: false,
};

/** A model of a few tokens; merges are pairs. */
function model(tokens: string[], merges: [string, string][], options: Partial<BpeDefinition> = {}): BpeModel {
  const vocab = new Map(tokens.map((token, i) => [token, i]));
  const prefix = options.continuingSubwordPrefix ?? '';
  const definition = {
    ...bytes,
    ...options,
    vocab,
    merges: merges.map(([left, right]) => ({
      left: vocab.get(left)!,
      right: vocab.get(right)!,
      merged: vocab.get(left + right.slice(prefix.length))!,
    })),
  };
  return new BpeModel(definition, new Set());
}

/** Tokens with the parts of the piece that they stand for. */
function shown(bpe: BpeModel, tokens: string[], piece: string): string {
  const { ids, starts, ends } = bpe.tokenize(piece);
  return ids.map((each, i) => `${tokens[each]!}=${piece.slice(starts[i], ends[i])}`).join(' ');
}

describe('BpeModel', () => {
  it('merges the characters of a piece', () => {
    const bpe = new BpeModel(bytes, new Set());
    expect(bpe.tokenize('cabc\u00c3')).toEqual({ ids: [id('c'), 258, 0xc3], starts: [0, 1, 4], ends: [1, 4, 5] });
    expect(bpe.tokenize('cab').ids).toEqual([id('c'), 256]);
  });

  it('takes a whole piece that is a token, if merges are to be ignored', () => {
    const bpe = new BpeModel({ ...bytes, ignoreMerges: true }, new Set());
    expect(bpe.tokenize('cab')).toEqual({ ids: [259], starts: [0], ends: [3] });
    expect(bpe.tokenize('cabc').ids).toEqual([id('c'), 258]);
  });

  it('never yields a reserved id, neither by merging nor as a whole nor as a character', () => {
    const bpe = new BpeModel({ ...bytes, ignoreMerges: true }, new Set([256, 259, id('z')]));
    expect(bpe.tokenize('cab').ids).toEqual([id('c'), id('a'), id('b')]);
    expect(bpe.tokenize('dabc').ids).toEqual([id('d'), id('a'), 257]);
    expect(bpe.tokenize('abc').ids).toEqual([258]);
    expect(bpe.tokenize('azb').ids).toEqual([id('a'), id('b')]);
  });

  it('marks what goes on, and what ends', () => {
    const tokens = ['a', '##a', '##b', 'ab', '##b</w>', 'ab</w>'];
    const merges: [string, string][] = [
      ['a', '##b'],
      ['a', '##b</w>'],
    ];
    const options = { continuingSubwordPrefix: '##', endOfWordSuffix: '</w>' };
    const bpe = model(tokens, merges, options);
    expect(shown(bpe, tokens, 'ab')).toBe('ab</w>=ab');
    expect(shown(bpe, tokens, 'aab')).toBe('a=a ##a=a ##b</w>=b');
    expect(shown(bpe, tokens, 'abab')).toBe('ab=ab ##a=a ##b</w>=b');
  });

  it('writes unknown characters byte by byte, each byte standing for the character', () => {
    const tokens = ['<unk>', 'a', '<0xE9>', '<0x89>', '<0x84>', '<0xF0>'];
    const bpe = model(tokens, [], { byteFallback: true, unkToken: '<unk>' });
    expect(shown(bpe, tokens, 'a\u9244')).toBe('a=a <0xE9>=\u9244 <0x89>=\u9244 <0x84>=\u9244');
    // Not all of the bytes are there.
    expect(shown(bpe, tokens, '\u{1f600}a')).toBe('<unk>=\u{1f600} a=a');
  });

  it.each([
    [true, '<unk>=xy a=a <unk>=z'],
    [false, '<unk>=x <unk>=y a=a <unk>=z'],
  ])('makes unknown characters one, or each its own: %s', (fuseUnk, wanted) => {
    const tokens = ['<unk>', 'a'];
    expect(shown(model(tokens, [], { unkToken: '<unk>', fuseUnk }), tokens, 'xyaz')).toBe(wanted);
  });

  it('leaves unknown characters out where nothing stands for them, and says so where that is not there', () => {
    expect(shown(model(['a'], []), ['a'], 'xaya')).toBe('a=a a=a');
    expect(() => model(['a'], [], { unkToken: '<unk>' }).tokenize('ax')).toThrow(
      'unk_token: the text has what is not in the vocabulary, and so is "<unk>", which stands for it',
    );
  });

  it('knows whether a piece may be cut before the mark of a space', () => {
    const tokens = ['\u2581', 'a', '\u2581a', '\u2581\u2581', 'a\u2581'];
    const merges: [string, string][] = [
      ['\u2581', 'a'],
      ['\u2581', '\u2581'],
    ];
    expect(model(tokens, merges).cutBefore).toBe('\u2581');
    expect(model(tokens, [...merges, ['a', '\u2581']]).cutBefore).toBeUndefined();
    expect(model(tokens, merges, { ignoreMerges: true }).cutBefore).toBeUndefined();
    expect(model(tokens, merges, { endOfWordSuffix: '</w>' }).cutBefore).toBeUndefined();
    expect(model(['a'], []).cutBefore).toBeUndefined();
  });
});
