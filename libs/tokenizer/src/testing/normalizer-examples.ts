import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NormalizerDefinition } from '../normalizers/normalizer.ts';

/** A small one, with sequences and characters that vanish. */
const charsmap = (() => {
  const path = join(import.meta.dirname, '../../fixtures/generated/families.json');
  const { families } = JSON.parse(readFileSync(path, 'utf8')) as {
    families: { name: string; tokenizer: { normalizer: NormalizerDefinition } }[];
  };
  return families.find(({ name }) => name === 't5')!.tokenizer.normalizer;
})();

const bert = {
  type: 'BertNormalizer',
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true,
} as const;

/** At least one of every kind. */
export const normalizerExamples: readonly NormalizerDefinition[] = [
  { type: 'NFC' },
  { type: 'NFD' },
  { type: 'NFKC' },
  { type: 'NFKD' },
  { type: 'Lowercase' },
  { type: 'StripAccents' },
  { type: 'Nmt' },
  { type: 'ByteLevel' },
  { type: 'Strip', strip_left: true, strip_right: true },
  { type: 'Strip', strip_left: false, strip_right: true },
  { type: 'Prepend', prepend: '\u2581x' },
  { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
  { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
  { type: 'Replace', pattern: { Regex: '[^\\p{L}]' }, content: '' },
  { type: 'Replace', pattern: { Regex: '(?<=\\p{L})e|\\p{N}{2,}' }, content: '<number>' },
  bert,
  { ...bert, strip_accents: false },
  { ...bert, lowercase: false },
  { ...bert, clean_text: false, handle_chinese_chars: false, strip_accents: true },
  charsmap,
  {
    type: 'Sequence',
    normalizers: [
      { type: 'NFKD' },
      { type: 'StripAccents' },
      { type: 'Lowercase' },
      { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
      { type: 'Strip', strip_left: true, strip_right: true },
      { type: 'Prepend', prepend: '_' },
    ],
  },
];
