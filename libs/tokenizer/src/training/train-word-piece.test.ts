import { describe, expect, it } from 'vitest';
import { vocabOf } from '../models/model.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { trainWordPiece } from './train-word-piece.ts';

function tokensOf({ definition }: Tokenizer): string[] {
  return [...vocabOf(definition.model).keys()];
}

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

describe('trainWordPiece', () => {
  it('learns what can be worked out by hand', async () => {
    // low 3, lower 2, lowest 1. Pairs: l ##o and ##o ##w come 6 times, ##w ##e 3, ##e ##r 2, the rest once. Of the first
    // two the smaller ids are those of l ##o; then lo ##w; then low ##e (3), and lowe ##r (2).
    const tokenizer = await trainWordPiece(['Low low LOW lower low\u00e9r lowest'], { vocabSize: 100 });
    expect(tokensOf(tokenizer)).toEqual([
      ...special,
      ...['e', 'l', 'o', 'r', 's', 't', 'w'],
      ...['##e', '##o', '##r', '##s', '##t', '##w'],
      ...['lo', 'low', 'lowe', 'lower'],
    ]);
    const shown = (text: string): string =>
      tokenizer
        .encode(text)
        .map((id) => tokenizer.idToToken(id))
        .join(' ');
    expect(shown('Lowers, low')).toBe('lower ##s [UNK] low');
    expect(shown('xlow')).toBe('[UNK]');
  });

  it('makes a tokenizer like those of BERT', async () => {
    const tokenizer = await trainWordPiece(['the iron is hot. the iron is cold!'], { vocabSize: 60 });
    const { ids, typeIds } = tokenizer.tokenize('The iron', { pair: 'is hot' });
    expect(tokenizer.decode(ids)).toBe('[CLS] the iron [SEP] is hot [SEP]');
    expect(typeIds).toEqual([...tokenizer.tokenize('The iron').typeIds, ...tokenizer.encode('is hot').map(() => 1), 1]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('the iron is hot');
    expect(special.map((token) => tokenizer.specialTokens.get(token))).toEqual([0, 1, 2, 3, 4]);
    expect([tokenizer.padId, tokenizer.maskId]).toEqual([0, 4]);
    expect(tokenizer.encode('[MASK]').includes(4)).toBe(false);
    expect(tokenizer.encodeWithSpecialTokens('the [MASK] is hot')).toContain(4);
  });

  it('keeps case and accents when told to', async () => {
    const tokenizer = await trainWordPiece(['\u00c9a \u00c9a'], { vocabSize: 60, lowercase: false });
    expect(tokensOf(tokenizer)).toEqual([...special, 'a', '\u00c9', '##a', '\u00c9a']);
  });

  it('leaves rare characters and rare pairs out', async () => {
    const text = 'aaa aab aab xaa';
    const tokens = (options: object): Promise<string[]> =>
      trainWordPiece([text], { vocabSize: 60, ...options }).then(tokensOf);
    // Without b and x: aaa, aa twice, and of xaa the two letters that go on.
    expect(await tokens({ limitAlphabet: 1 })).toEqual([...special, 'a', '##a', 'aa']);
    expect(await tokens({ minFrequency: 5 })).toEqual([...special, 'a', 'b', 'x', '##a', '##b']);
  });

  it('does not depend on the order of the texts', async () => {
    const texts = ['the iron is hot', 'the smith is here', 'strike it while hot: the iron', '\u9244\u306f \u71b1'];
    const [first, second] = await Promise.all(
      [texts, texts.toReversed()].map((each) => trainWordPiece(each, { vocabSize: 80 })),
    );
    expect(tokensOf(first!).length).toBeGreaterThan(35);
    expect(tokensOf(second!)).toEqual(tokensOf(first!));
  });

  it('stops at the size asked for, and when it is cancelled', async () => {
    const tokenizer = await trainWordPiece(['low lower lowest low'], { vocabSize: 5 + 7 + 6 + 1 });
    expect(tokenizer.vocabSize).toBe(19);
    const options = { vocabSize: 60, signal: AbortSignal.abort() };
    await expect(trainWordPiece(['low'], options)).rejects.toThrow(expect.objectContaining({ code: 'cancelled' }));
  });

  it.each([
    [{ vocabSize: 5 }, 'vocabSize: 5 is not a whole number from 6 to 1048576'],
    [
      { vocabSize: 7 },
      'vocabSize: 7 are fewer tokens than the 10 that special tokens and characters take; a smaller limitAlphabet makes these fewer',
    ],
    [{ vocabSize: 60, limitAlphabet: 0 }, 'limitAlphabet: 0 is not a whole number from 1 to 1048576'],
    [{ vocabSize: 60, minFrequency: 0.5 }, 'minFrequency: 0.5 is not a whole number from 1 to 9007199254740991'],
  ])('refuses %j', async (options, message) => {
    await expect(trainWordPiece(['abc'], options)).rejects.toThrow(
      expect.objectContaining({ code: 'invalid-input', message }),
    );
  });

  it('needs a text', async () => {
    await expect(trainWordPiece([''], { vocabSize: 60 })).rejects.toThrow('texts: there is no text to train on');
  });
});
