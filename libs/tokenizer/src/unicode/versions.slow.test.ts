import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { AlignedText } from '../aligned-text.ts';
import { createNormalizer, type NormalizerDefinition } from '../normalizers/normalizer.ts';
import { createMatcher } from '../pattern/pattern.ts';
import { createPreTokenizer, type PreTokenizerDefinition } from '../pre-tokenizers/pre-tokenizer.ts';

interface Fixture {
  readonly tokenizers: string;
  /** Digests of lists of code points. */
  readonly patterns: Readonly<Record<string, string>>;
  readonly cut: Readonly<Record<string, string>>;
  readonly vanish: Readonly<Record<string, string>>;
  /** Digests of lists of code points and what they become. */
  readonly changed: Readonly<Record<string, string>>;
}

// Written by fixtures/huggingface.py.
const path = join(import.meta.dirname, '../../fixtures/generated/unicode.json');
const fixture = JSON.parse(readFileSync(path, 'utf8')) as Fixture;

vi.setConfig({ testTimeout: 300_000 });

/** All code points, without surrogates. */
const all = Array.from({ length: 0x110000 }, (_, code) => code).filter((code) => code < 0xd800 || code > 0xdfff);

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

const bert = {
  type: 'BertNormalizer',
  clean_text: false,
  handle_chinese_chars: false,
  strip_accents: false,
  lowercase: false,
} as const;

/** On how many pieces a pre-tokenizer cuts a text. */
function piecesOf(definition: PreTokenizerDefinition): (text: string) => number {
  const cut = createPreTokenizer([definition]);
  return (text) => {
    let count = 0;
    cut(new AlignedText(text), 0, text.length, () => count++);
    return count;
  };
}

describe(`characters, held against tokenizers ${fixture.tokenizers}`, () => {
  it('are those of the version of Unicode that the lists are about', () => {
    expect(process.versions['unicode']).toBe('17.0');
  });

  it.each(Object.entries(fixture.patterns))('that match %s are the same', (pattern, wanted) => {
    const matcher = createMatcher({ Regex: pattern }, 'pattern');
    const text = all.map((code) => String.fromCodePoint(code)).join('');
    const found: number[] = [];
    matcher.forEachMatch(text, 0, text.length, (start, end) => {
      for (const character of text.slice(start, end)) found.push(character.codePointAt(0)!);
    });
    expect(digest(found)).toBe(wanted);
  });

  it.each<[string, PreTokenizerDefinition, (code: string) => string, number]>([
    ['WhitespaceSplit', { type: 'WhitespaceSplit' }, (each) => `a${each}a`, 2],
    ['Whitespace', { type: 'Whitespace' }, (each) => `a${each}a`, 2],
    ['Whitespace, others', { type: 'Whitespace' }, (each) => `a${each}a`, 3],
    ['Punctuation', { type: 'Punctuation', behavior: 'Isolated' }, (each) => `a${each}a`, 3],
    ['Digits', { type: 'Digits', individual_digits: true }, (each) => `a${each}a`, 3],
    ['UnicodeScripts, not Latin', { type: 'UnicodeScripts' }, (each) => `a${each}a`, 3],
    ['UnicodeScripts, not Han', { type: 'UnicodeScripts' }, (each) => `\u4e00${each}`, 2],
  ])('that %s cuts at are the same', (name, definition, textWith, pieces) => {
    const count = piecesOf(definition);
    expect(digest(all.filter((code) => count(textWith(String.fromCodePoint(code))) === pieces))).toBe(
      fixture.cut[name],
    );
  });

  it.each<[string, NormalizerDefinition]>([
    ['NFC', { type: 'NFC' }],
    ['NFD', { type: 'NFD' }],
    ['NFKC', { type: 'NFKC' }],
    ['NFKD', { type: 'NFKD' }],
    ['Lowercase', { type: 'Lowercase' }],
    ['Nmt', { type: 'Nmt' }],
    ['clean_text', { ...bert, clean_text: true }],
    ['handle_chinese_chars', { ...bert, handle_chinese_chars: true }],
    ['strip_accents', { ...bert, strip_accents: true }],
  ])('become the same by %s', (name, definition) => {
    const normalize = createNormalizer(definition);
    const changed = all.flatMap((code) => {
      const character = String.fromCodePoint(code);
      const { text } = normalize(new AlignedText(character));
      return text === character ? [] : [[code, text]];
    });
    expect(digest(changed)).toBe(fixture.changed[name]);
  });

  it.each<[string, NormalizerDefinition]>([
    ['StripAccents', { type: 'StripAccents' }],
    ['clean_text', { ...bert, clean_text: true }],
  ])('that vanish by %s are the same', (name, definition) => {
    const normalize = createNormalizer(definition);
    const gone = all.filter((code) => normalize(new AlignedText(`a${String.fromCodePoint(code)}b`)).text === 'ab');
    expect(digest(gone)).toBe(fixture.vanish[name]);
  });
});
