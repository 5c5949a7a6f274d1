import { describe, expect, it } from 'vitest';
import { AlignedText } from '../aligned-text.ts';
import { createNormalizer } from '../normalizers/normalizer.ts';
import { createMatcher } from '../pattern/pattern.ts';
import { CodePointSet } from './code-point-set.ts';
import { classOf } from './versions.ts';

// versions.slow.test.ts holds all that is known of characters against the reference.

describe('what is known of characters', () => {
  it('is about the version of Unicode that this Node has', () => {
    expect(process.versions['unicode']).toBe('17.0');
  });

  it.each([
    ['punctuation', '!', true],
    ['punctuation', '$', true],
    ['punctuation', '\u20ac', false],
    ['punctuation', '\u166d', true],
    ['punctuation', '\u2e43', false],
    ['nonspacingMark', '\u0301', true],
    ['nonspacingMark', '\u1734', true],
    ['nonspacingMark', '\u08d4', false],
    ['combiningMark', '\u1cf2', true],
    ['combiningMark', '\u07fd', false],
    ['other', '\u200b', true],
    ['other', '\u08e2', false],
    ['other', '\u0378', false],
    ['word', '\u00b2', false],
    ['word', '\u200d', true],
    ['word', '\u088f', false],
  ] as const)('is of the age that the reference has: %s, %j', (name, character, wanted) => {
    expect(new CodePointSet(classOf[name]).has(character.codePointAt(0)!)).toBe(wanted);
  });

  it.each([
    ['\\w', '\u00b2', true],
    ['[\\w]', '\u00b2', false],
    ['\\p{L}', '\u088f', false],
    ['\\P{L}', '\u088f', true],
    ['\\p{Cn}', '\u088f', true],
    ['\\p{Ll}', '\u0295', true],
    ['\\p{Lo}', '\u0295', false],
    ['\\s', '\u0085', true],
    ['\\s', '\ufeff', false],
    ['\\d', '\u0669', true],
    ['[[:punct:]]', '$', true],
    ['\\p{Punct}', '$', false],
    ['(?i:k)', '\u212a', true],
  ])('holds for patterns: %s, %j', (pattern, character, wanted) => {
    let matches = false;
    createMatcher({ Regex: pattern }, 'pattern').forEachMatch(character, 0, character.length, () => (matches = true));
    expect(matches).toBe(wanted);
  });

  it('leaves alone what normalization did not know', () => {
    const nfc = createNormalizer({ type: 'NFC' });
    expect(nfc(new AlignedText('\u{105d2}\u0307 e\u0301')).text).toBe('\u{105d2}\u0307 \u00e9');
    expect(createNormalizer({ type: 'NFKD' })(new AlignedText('\u32ff\u32fe')).text).toBe('\u32ff\u30f2');
  });
});
