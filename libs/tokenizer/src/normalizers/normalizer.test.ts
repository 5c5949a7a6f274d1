import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { AlignedText } from '../aligned-text.ts';
import { hostileText } from '../testing/hostile-text.ts';
import { normalizerExamples } from '../testing/normalizer-examples.ts';
import { createNormalizer, type NormalizerDefinition } from './normalizer.ts';

function normalize(definition: NormalizerDefinition, text: string): string {
  return createNormalizer(definition)(new AlignedText(text)).text;
}

const bert = {
  type: 'BertNormalizer',
  clean_text: false,
  handle_chinese_chars: false,
  strip_accents: null,
  lowercase: false,
} as const;

describe('normalizers', () => {
  it.each<[NormalizerDefinition, string, string]>([
    [{ type: 'NFC' }, 'e\u0301', '\u00e9'],
    [{ type: 'NFD' }, '\u00e9', 'e\u0301'],
    [{ type: 'NFKC' }, '\ufb01\uff21', 'fiA'],
    [{ type: 'NFKD' }, '\u1e9b\u0323', 's\u0323\u0307'],
    [{ type: 'Lowercase' }, '\u03a3\u0391\u03a3 \u0130', '\u03c3\u03b1\u03c3 i\u0307'],
    [{ type: 'StripAccents' }, 'e\u0301\u00e9', 'e\u00e9'],
    [{ type: 'Nmt' }, 'a\u0001\n\u200b\u2581\u007f', 'a   '],
    [{ type: 'ByteLevel' }, 'a \u00e9', 'a\u0120\u00c3\u00a9'],
    [{ type: 'Strip', strip_left: true, strip_right: false }, '\u3000\n a ', 'a '],
    [{ type: 'Strip', strip_left: false, strip_right: true }, ' a \u0085', ' a'],
    [{ type: 'Prepend', prepend: '\u2581' }, 'a', '\u2581a'],
    [{ type: 'Prepend', prepend: '\u2581' }, '', ''],
    [{ type: 'Replace', pattern: { String: ' ' }, content: '$&' }, 'a b ', 'a$&b$&'],
    [{ type: 'Replace', pattern: { String: '.' }, content: '' }, 'a.b', 'ab'],
    [{ type: 'Replace', pattern: { Regex: '\\s+$' }, content: '!' }, 'a \n', 'a!'],
    [{ type: 'Replace', pattern: { Regex: 'x*' }, content: '-' }, 'axb', '-a-b-'],
    [{ ...bert, clean_text: true }, 'a\u0000\t\u200b\u3000\ufffdb', 'a  b'],
    [{ ...bert, handle_chinese_chars: true }, 'a\u4e2d\u6587', 'a \u4e2d  \u6587 '],
    [{ ...bert, lowercase: true }, 'ÉA', 'ea'],
    [{ ...bert, lowercase: true, strip_accents: false }, 'ÉA', 'éa'],
    [{ ...bert, strip_accents: true }, 'ÉA', 'EA'],
    [{ type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }, { type: 'Lowercase' }] }, 'É', 'e'],
  ])('make of text what they say: %j', (definition, text, wanted) => {
    expect(normalize(definition, text)).toBe(wanted);
  });

  it.each(normalizerExamples)('give the same text with and without alignment: %j', (definition) => {
    const normalizer = createNormalizer(definition);
    const random = Random.seeded(13);
    for (let i = 0; i < 100; i++) {
      const text = hostileText(random, { malformed: false }).toWellFormed();
      const aligned = normalizer(AlignedText.original(text));
      expect(aligned.text).toBe(normalizer(new AlignedText(text)).text);
      expect(aligned.alignment!.starts).toHaveLength(aligned.text.length);
      expect(aligned.alignment!.ends).toHaveLength(aligned.text.length);
    }
  });
});
