import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { createPieceSplitter, ownPreTokenizer, ownSplitPattern } from './pre-tokenize.ts';
import type { PreTokenizerStep } from './pre-tokenize.ts';
import { hostileText } from './testing/hostile-text.ts';

function pieces(steps: readonly PreTokenizerStep[], text: string, exact = false): string[] {
  const found: string[] = [];
  createPieceSplitter(steps, { exact })(text, (piece) => found.push(piece));
  return found;
}

describe('our pre-tokenizer', () => {
  it.each([
    ['words with the space before them', 'The hot  iron', ['The', ' hot', ' ', ' iron']],
    ['every digit by itself', '12 × 3.5²', ['1', '2', ' ×', ' ', '3', '.', '5', '²']],
    ['contractions', "I'd we'LL it's rock'n", ['I', "'d", ' we', "'LL", ' it', "'s", ' rock', "'n"]],
    ['punctuation with one space and what newlines follow', 'a (b)...\n\nc', ['a', ' (', 'b', ')...\n\n', 'c']],
    ['newlines with the white space before them', 'a \t\r\n\n  b', ['a', ' \t\r\n\n', ' ', ' b']],
    ['white space, but for the last character before a word', 'a   \u3000b', ['a', '   ', '\u3000b']],
    ['white space at the end as a whole', 'a  \u0085', ['a', '  \u0085']],
    ['nothing', '', []],
  ])('takes %s', (_what, text, found) => {
    expect(pieces(ownPreTokenizer, text)).toEqual(found);
  });

  it('has a pattern that means the same as it stands in JavaScript', () => {
    const random = Random.seeded(9);
    for (let i = 0; i < 10_000; i++) {
      const text = hostileText(random, { malformed: true });
      const found = pieces(ownPreTokenizer, text);
      expect(found.join('')).toBe(text);
      expect(found).toEqual(text.match(new RegExp(ownSplitPattern, 'gu')) ?? []);
      expect(found).toEqual(text.match(new RegExp(ownSplitPattern, 'gv')) ?? []);
    }
  });

  it('cuts a million characters without a break', () => {
    for (const character of ['a', ' ', '!', '\n', '😀', '漢', '\u0301']) {
      expect(pieces(ownPreTokenizer, character.repeat(1_000_000))).toHaveLength(1);
    }
  });
});

describe('createPieceSplitter', () => {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false } as const;
  const split = (Regex: string, behavior: 'Isolated' | 'Removed', invert: boolean): PreTokenizerStep => {
    return { type: 'Split', pattern: { Regex }, behavior, invert };
  };

  it.each([
    ['isolates matches', [split('\\d+', 'Isolated', false)], ['a', '12', 'b c', '3']],
    ['removes matches', [split('\\d+', 'Removed', false)], ['a', 'b c']],
    ['removes what is between matches', [split('\\d+', 'Removed', true)], ['12', '3']],
    ['cuts at empty matches', [split('(?=[bc])', 'Isolated', false)], ['a12', 'b ', 'c3']],
    ['takes a text literally', [{ ...split('', 'Isolated', false), pattern: { String: 'b ' } }], ['a12', 'b ', 'c3']],
    ['isolates digits', [{ type: 'Digits', individual_digits: true }], ['a', '1', '2', 'b c', '3']],
    ['isolates numbers', [{ type: 'Digits', individual_digits: false }], ['a', '12', 'b c', '3']],
    ['splits as GPT-2 does', [{ ...byteLevel, use_regex: true }], ['a', '12', 'b', ' c', '3']],
    ['goes from step to step', [split(' ', 'Removed', false), split('b', 'Isolated', false)], ['a12', 'b', 'c3']],
    ['puts a space in front', [{ ...byteLevel, add_prefix_space: true }], [' a12b c3']],
  ] as [string, PreTokenizerStep[], string[]][])('%s', (_what, steps, found) => {
    expect(pieces(steps, 'a12b c3')).toEqual(found);
  });

  it('cuts at empty matches between characters, not within them', () => {
    expect(pieces([split('x*', 'Isolated', false)], '😀ax')).toEqual(['😀', 'a', 'x']);
  });

  it('puts no space where one is', () => {
    expect(pieces([{ ...byteLevel, add_prefix_space: true }], ' a')).toEqual([' a']);
  });

  it('neither adds nor removes where the pieces must be the text', () => {
    const steps = [split('b', 'Removed', false), split(' ', 'Removed', true), { ...byteLevel, add_prefix_space: true }];
    expect(pieces(steps, 'ab c', true)).toEqual(['a', 'b', ' ', 'c']);
  });
});
