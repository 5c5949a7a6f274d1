import { describe, expect, it } from 'vitest';
import { AlignedText } from '../aligned-text.ts';
import { normalizerExamples } from '../testing/normalizer-examples.ts';
import { Charsmap } from './charsmap.ts';

const example = normalizerExamples.find(({ type }) => type === 'Precompiled') as { precompiled_charsmap: string };
const bytes = Buffer.from(example.precompiled_charsmap, 'base64');
const charsmap = new Charsmap(bytes);

describe('Charsmap', () => {
  // The rules are those of fixtures/families.py.
  it.each([
    ['single characters', '\uff21\u3000\ufb01', 'A fi'],
    ['characters that vanish', '\u00ada\u0001b\u00ad', 'ab'],
    ['sequences', 'e\u0301 A\u030a', '\u00e9 \u00c5'],
    ['no sequences of characters that have no rule', 'a\u0301', 'a\u0301'],
    ['a whole grapheme by the rule for its beginning', '\r\n\n', '  '],
    ['graphemes that are too long for that character by character', '\u2026\u0301\u0301', '...\u0301\u0301'],
    ['nothing', 'plain text', 'plain text'],
  ])('replaces %s', (_what, text, wanted) => {
    expect(charsmap.apply(new AlignedText(text)).text).toBe(wanted);
    expect(charsmap.apply(AlignedText.original(text)).text).toBe(wanted);
  });

  it('says where what it makes comes from', () => {
    const { alignment } = charsmap.apply(AlignedText.original('a\u2026\u00adb'));
    // What is written last before something vanishes has that for its own: so has the reference.
    expect([...alignment!.starts]).toEqual([0, 1, 1, 2, 3]);
    expect([...alignment!.ends]).toEqual([1, 2, 2, 3, 4]);
  });

  it.each([
    ['nothing', []],
    ['a trie that is longer than all', [8, 0, 0, 0, 1, 2, 3, 4]],
    ['a trie of no whole units', [3, 0, 0, 0, 1, 2, 3]],
    ['replacements that are no text', [4, 0, 0, 0, 0, 0, 0, 0, 0xff]],
  ])('refuses %s', (_what, wrong) => {
    expect(() => new Charsmap(Uint8Array.from(wrong))).toThrow(RangeError);
  });

  it('survives a trie that leads nowhere', () => {
    const damaged = Uint8Array.from(bytes);
    for (let at = 4; at < damaged.length - 300; at += 3) damaged[at] = 0xff;
    const text = 'a\uff21\u3000e\u0301\u2026';
    expect(() => new Charsmap(damaged).apply(new AlignedText(text))).not.toThrow();
  });
});
