/** The normalizers of tokenizer.json: what is made of a text before it is cut into pieces. */
import type { AlignedText } from '../aligned-text.ts';
import { alphabetFromBytes } from '../byte-alphabet.ts';
import type { JsonField } from '../json-field.ts';
import { createMatcher, parsePatternField, type PatternDefinition } from '../pattern/pattern.ts';
import { CodePointSet } from '../unicode/code-point-set.ts';
import { normalizationForms, type NormalizationForm, normalized } from '../unicode/forms.ts';
import { classOf } from '../unicode/versions.ts';
import { Charsmap } from './charsmap.ts';

export type NormalizerDefinition =
  | { readonly type: NormalizationForm | 'Lowercase' | 'StripAccents' | 'Nmt' | 'ByteLevel' }
  | { readonly type: 'Strip'; readonly strip_left: boolean; readonly strip_right: boolean }
  | { readonly type: 'Prepend'; readonly prepend: string }
  | { readonly type: 'Replace'; readonly pattern: PatternDefinition; readonly content: string }
  | {
      readonly type: 'BertNormalizer';
      /** Control characters go, white space is a space. */
      readonly clean_text: boolean;
      /** Spaces around Chinese characters. */
      readonly handle_chinese_chars: boolean;
      /** null: as `lowercase` is. */
      readonly strip_accents: boolean | null;
      readonly lowercase: boolean;
    }
  | { readonly type: 'Precompiled'; readonly precompiled_charsmap: string }
  | { readonly type: 'Sequence'; readonly normalizers: readonly NormalizerDefinition[] };

export type Normalizer = (text: AlignedText) => AlignedText;

export function parseNormalizer(field: JsonField, depth = 0): NormalizerDefinition {
  const type = field.get('type');
  if (depth > 8) throw field.error('is nested deeper than 8');
  switch (type.value) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
    case 'Lowercase':
    case 'StripAccents':
    case 'Nmt':
    case 'ByteLevel':
      return { type: type.value };
    case 'Strip':
      return {
        type: 'Strip',
        strip_left: field.get('strip_left').boolean(),
        strip_right: field.get('strip_right').boolean(),
      };
    case 'Prepend':
      return { type: 'Prepend', prepend: field.get('prepend').string() };
    case 'Replace':
      return {
        type: 'Replace',
        pattern: parsePatternField(field.get('pattern')),
        content: field.get('content').string(),
      };
    case 'BertNormalizer': {
      const accents = field.get('strip_accents');
      return {
        type: 'BertNormalizer',
        clean_text: field.get('clean_text').boolean(),
        handle_chinese_chars: field.get('handle_chinese_chars').boolean(),
        strip_accents: accents.isAbsent ? null : accents.boolean(),
        lowercase: field.get('lowercase').boolean(),
      };
    }
    case 'Precompiled': {
      const map = field.get('precompiled_charsmap');
      const base64 = map.string();
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw map.error('is not base64');
      try {
        new Charsmap(Buffer.from(base64, 'base64'));
      } catch (reason) {
        if (reason instanceof RangeError) throw map.error(reason.message);
        throw reason;
      }
      return { type: 'Precompiled', precompiled_charsmap: base64 };
    }
    case 'Sequence':
      return {
        type: 'Sequence',
        normalizers: field
          .get('normalizers')
          .items()
          .map((item) => parseNormalizer(item, depth + 1)),
      };
    default:
      throw type.unsupported(
        `${normalizationForms.join(', ')}, Lowercase, Strip, StripAccents, Replace, Prepend, BertNormalizer, Precompiled, Nmt, ByteLevel and Sequence`,
      );
  }
}

export function createNormalizer(definition: NormalizerDefinition): Normalizer {
  switch (definition.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = definition.type;
      return (text) => normalized(text, form);
    }
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return without(classOf.combiningMark);
    case 'Nmt':
      return nmt;
    case 'ByteLevel':
      return toByteAlphabet;
    case 'Strip': {
      const { strip_left, strip_right } = definition;
      return (text) => stripped(text, strip_left, strip_right);
    }
    case 'Prepend': {
      const { prepend } = definition;
      return (text) => (text.text === '' ? text : text.prepend(prepend));
    }
    case 'Replace':
      return replacing(definition.pattern, definition.content);
    case 'BertNormalizer':
      return bertNormalizer(definition);
    case 'Precompiled': {
      const map = new Charsmap(Buffer.from(definition.precompiled_charsmap, 'base64'));
      return (text) => map.apply(text);
    }
    case 'Sequence':
      return inTurn(definition.normalizers.map(createNormalizer));
  }
}

function inTurn(normalizers: readonly Normalizer[]): Normalizer {
  return (text) => normalizers.reduce((result, normalizer) => normalizer(result), text);
}

/** Every character by itself: a capital sigma at the end of a word is no final sigma. */
function lowercase(old: AlignedText): AlignedText {
  const lower = (text: string): string => text.replaceAll('\u03a3', '\u03c3').toLowerCase();
  return old.rewritten(lower(old.text), (rewriting) => {
    for (const character of old.text) rewriting.replace(lower(character));
  });
}

/** Every byte of UTF-8 as a character of the byte alphabet. */
export function toByteAlphabet(old: AlignedText): AlignedText {
  const utf8 = new TextEncoder();
  return old.rewritten(alphabetFromBytes(utf8.encode(old.text)), (rewriting) => {
    for (const character of old.text) rewriting.replace(alphabetFromBytes(utf8.encode(character)));
  });
}

function without(source: string): Normalizer {
  const all = new RegExp(source, 'gv');
  const one = new RegExp(source, 'v');
  return (old) =>
    old.rewritten(old.text.replace(all, ''), (rewriting) => {
      for (const character of old.text) {
        if (one.test(character)) rewriting.drop(1);
        else rewriting.add(character, 0);
      }
    });
}

/** The characters of a class as another. */
function mapping(source: string, to: string): Normalizer {
  const all = new RegExp(source, 'gv');
  return (old) => {
    const text = old.text.replace(all, to);
    return old.rewritten(text, (rewriting) => {
      for (const character of text) rewriting.add(character, 0);
    });
  };
}

const nmt = inTurn([
  without('[\\u{1}-\\u{8}\\u{b}\\u{e}-\\u{1f}\\u{7f}\\u{8f}\\u{9f}]'),
  mapping('[\\u{9}\\u{a}\\u{c}\\u{d}\\u{1680}\\u{200b}-\\u{200f}\\u{2028}\\u{2029}\\u{2581}\\u{feff}\\u{fffd}]', ' '),
]);

const whiteSpace = new CodePointSet(classOf.whiteSpace);

function stripped(old: AlignedText, left: boolean, right: boolean): AlignedText {
  const { text } = old;
  let start = 0;
  let end = text.length;
  if (left) while (start < end && whiteSpace.has(text.charCodeAt(start))) start++;
  if (right) while (end > start && whiteSpace.has(text.charCodeAt(end - 1))) end--;
  return old.slice(start, end);
}

function replacing(pattern: PatternDefinition, content: string): Normalizer {
  const matcher = createMatcher(pattern, 'normalizer');
  return (old) => {
    const matches: { start: number; end: number }[] = [];
    matcher.forEachMatch(old.text, 0, old.text.length, (start, end) => matches.push({ start, end }));
    if (matches.length === 0) return old;
    let text = '';
    let done = 0;
    for (const { start, end } of matches) {
      text += old.text.slice(done, start) + content;
      done = end;
    }
    text += old.text.slice(done);
    return old.rewritten(text, (rewriting) => {
      let at = 0;
      for (const { start, end } of matches) {
        for (const character of old.text.slice(at, start)) rewriting.add(character, 0);
        rewriting.drop(Array.from(old.text.slice(start, end)).length);
        for (const character of content) rewriting.add(character, 1);
        at = end;
      }
      for (const character of old.text.slice(at)) rewriting.add(character, 0);
    });
  };
}

function bertNormalizer(definition: NormalizerDefinition & { type: 'BertNormalizer' }): Normalizer {
  const { clean_text, handle_chinese_chars, strip_accents, lowercase: lowers } = definition;
  const all = inTurn([
    ...(clean_text ? [cleaned] : []),
    ...(handle_chinese_chars ? [spacedChinese] : []),
    ...((strip_accents ?? lowers) ? [unaccented] : []),
    ...(lowers ? [lowercase] : []),
  ]);
  return (old) => {
    // Most text is such that little of it applies.
    if (old.alignment !== undefined || !/^[\n\r\t -~]*$/.test(old.text)) return all(old);
    const text = clean_text ? old.text.replace(/[\n\r\t]/g, ' ') : old.text;
    return old.rewritten(lowers ? text.toLowerCase() : text, () => undefined);
  };
}

const cleaned = inTurn([
  without(`[[\\u{0}\\u{fffd}${classOf.other}]--[\\t\\n\\r]]`),
  mapping(`[\\t\\n\\r${classOf.whiteSpace}]`, ' '),
]);

const unaccented = inTurn([(text) => normalized(text, 'NFD'), without(classOf.nonspacingMark)]);

const chinese =
  '[\\u{4e00}-\\u{9fff}\\u{3400}-\\u{4dbf}\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b73f}\\u{2b740}-\\u{2b81f}' +
  '\\u{2b920}-\\u{2ceaf}\\u{f900}-\\u{faff}\\u{2f800}-\\u{2fa1f}]';
const allChinese = new RegExp(chinese, 'gv');
const oneChinese = new RegExp(chinese, 'v');

function spacedChinese(old: AlignedText): AlignedText {
  return old.rewritten(old.text.replace(allChinese, ' $& '), (rewriting) => {
    for (const character of old.text) rewriting.replace(oneChinese.test(character) ? ` ${character} ` : character);
  });
}
