import { describe, expect, it } from 'vitest';
import { AlignedText } from '../aligned-text.ts';
import { createPreTokenizer, type PreTokenizerDefinition, preTokenizerSteps } from './pre-tokenizer.ts';

/** Pieces, with a bar between them. */
function cut(definition: PreTokenizerDefinition, text: AlignedText | string, options = {}): string {
  const whole = typeof text === 'string' ? new AlignedText(text) : text;
  const pieces: string[] = [];
  createPreTokenizer(preTokenizerSteps(definition), options)(whole, 0, whole.text.length, (piece, start, end) => {
    pieces.push(piece.text.slice(start, end));
  });
  return pieces.join('|');
}

const metaspace = { type: 'Metaspace', replacement: '_', prepend_scheme: 'always', split: true } as const;
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true } as const;
const dash = { type: 'Split', pattern: { String: '-' }, behavior: 'Removed', invert: false } as const;

describe('pre-tokenizers', () => {
  it.each<[PreTokenizerDefinition, string, string]>([
    [{ type: 'BertPreTokenizer' }, "it's  hot, \u3000$5", "it|'|s|hot|,|$|5"],
    [{ type: 'Whitespace' }, "it's  hot...\u00b2", "it|'|s|hot|...\u00b2"],
    [{ type: 'WhitespaceSplit' }, "it's\u2028 hot", "it's|hot"],
    [{ type: 'UnicodeScripts' }, ' ab\u4e2d\u3042\u30fc c', 'ab|\u4e2d\u3042\u30fc |c'],
    [byteLevel, "I'll  go\n", "I|'ll|\u0120|\u0120go|\u010a"],
    [{ ...byteLevel, add_prefix_space: true }, 'a \u00e9', '\u0120a|\u0120\u00c3\u00a9'],
    [{ ...byteLevel, use_regex: false }, 'a b', 'a\u0120b'],
    [{ type: 'CharDelimiterSplit', delimiter: '.' }, '.a..b', 'a|b'],
    [{ type: 'Digits', individual_digits: false }, 'a12\u00bd b3', 'a|12\u00bd| b|3'],
    [{ type: 'Digits', individual_digits: true }, 'a12b', 'a|1|2|b'],
    [{ type: 'FixedLength', length: 2 }, 'a\u{1f600}bcd', 'a\u{1f600}|bc|d'],
    [metaspace, 'a  b ', '_a|_|_b|_'],
    [metaspace, ' a', '_a'],
    [metaspace, '_a_b', '_a|_b'],
    [{ ...metaspace, split: false }, 'a b', '_a_b'],
    [{ ...metaspace, prepend_scheme: 'never' }, 'a b', 'a|_b'],
    [{ type: 'Punctuation', behavior: 'Contiguous' }, 'a,.b', 'a|,.|b'],
    [{ ...dash, behavior: 'Removed' }, 'the-final--countdown', 'the|final|countdown'],
    [{ ...dash, behavior: 'Isolated' }, 'the-final--countdown', 'the|-|final|-|-|countdown'],
    [{ ...dash, behavior: 'MergedWithPrevious' }, 'the-final--countdown', 'the-|final-|-|countdown'],
    [{ ...dash, behavior: 'MergedWithNext' }, 'the-final--countdown', 'the|-final|-|-countdown'],
    [{ ...dash, behavior: 'Contiguous' }, 'the-final--countdown', 'the|-|final|--|countdown'],
    [{ ...dash, behavior: 'MergedWithPrevious' }, '-a', '-|a'],
    [{ ...dash, behavior: 'MergedWithNext' }, 'a-', 'a|-'],
    [{ ...dash, invert: true }, 'the-final--', '-|-|-'],
    [{ ...dash, pattern: { Regex: '[a-f]+' }, invert: true }, 'abxcd', 'ab|cd'],
    [{ type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] }, 'a b', '_a|_b'],
    [
      { type: 'Sequence', pretokenizers: [dash, { type: 'Digits', individual_digits: true }, byteLevel] },
      'a-1 b',
      'a|1|\u0120b',
    ],
    [
      { type: 'Sequence', pretokenizers: [byteLevel, { type: 'Punctuation', behavior: 'Isolated' }] },
      'a \u00e9',
      'a|\u0120\u00c3\u00a9',
    ],
  ])('cut as they say: %j', (definition, text, wanted) => {
    expect(cut(definition, text)).toBe(wanted);
    expect(cut(definition, AlignedText.original(text))).toBe(wanted);
  });

  it('put the mark in front of what begins the original only, if they say so', () => {
    const first = { ...metaspace, prepend_scheme: 'first' } as const;
    for (const whole of [new AlignedText('a b'), AlignedText.original('a b')]) {
      expect(cut(first, whole)).toBe('_a|_b');
      expect(cut(first, whole.slice(2, 3))).toBe('b');
      expect(cut(metaspace, whole.slice(2, 3))).toBe('_b');
      expect(cut(metaspace, whole.slice(2, 3, 'nothing'))).toBe('b');
    }
  });

  it('leave bytes and removed text alone when told to', () => {
    expect(cut({ ...byteLevel, add_prefix_space: true }, 'a \u00e9', { keepsBytes: true })).toBe(' a| \u00e9');
    const exact = { keepsBytes: true, isExact: true };
    expect(cut({ ...byteLevel, add_prefix_space: true }, 'a b', exact)).toBe('a| b');
    expect(cut(dash, 'a-b', exact)).toBe('a|-|b');
  });

  it('look at nothing outside of the part that they are given', () => {
    const pieces: string[] = [];
    const split = createPreTokenizer([{ ...dash, pattern: { Regex: '(?<=a)b' }, behavior: 'Isolated' }]);
    split(new AlignedText('abab'), 1, 4, (text, start, end) => pieces.push(text.text.slice(start, end)));
    expect(pieces).toEqual(['ba', 'b']);
  });
});
