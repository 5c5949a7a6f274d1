/** The pre-tokenizers of tokenizer.json: they cut a text into the pieces within which tokens are found. */
import { type AlignedText, widthAt } from '../aligned-text.ts';
import type { JsonField } from '../json-field.ts';
import { toByteAlphabet } from '../normalizers/normalizer.ts';
import { createMatcher, parsePatternField, type PatternDefinition } from '../pattern/pattern.ts';
import { CodePointSet } from '../unicode/code-point-set.ts';
import { classOf } from '../unicode/versions.ts';
import { createPieces, type SplitBehavior, splitBehaviors } from './split-behavior.ts';
import { createScriptCutter } from './unicode-scripts.ts';

const prependSchemes = ['always', 'first', 'never'] as const;

export type PreTokenizerDefinition =
  | { readonly type: 'BertPreTokenizer' | 'Whitespace' | 'WhitespaceSplit' | 'UnicodeScripts' }
  | {
      readonly type: 'ByteLevel';
      readonly add_prefix_space: boolean;
      /** Concerns post-processing only. */
      readonly trim_offsets: boolean;
      /** Split with GPT-2's pattern. */
      readonly use_regex: boolean;
    }
  | { readonly type: 'CharDelimiterSplit'; readonly delimiter: string }
  | {
      readonly type: 'Digits';
      /** Every digit is a piece; otherwise every run of digits. */
      readonly individual_digits: boolean;
    }
  | { readonly type: 'FixedLength'; readonly length: number }
  | {
      readonly type: 'Metaspace';
      /** Stands for a space, and begins a word. */
      readonly replacement: string;
      /** Where it is put in front of a text: first means only of what begins the original text. */
      readonly prepend_scheme: (typeof prependSchemes)[number];
      readonly split: boolean;
    }
  | { readonly type: 'Punctuation'; readonly behavior: SplitBehavior }
  | {
      readonly type: 'Split';
      readonly pattern: PatternDefinition;
      readonly behavior: SplitBehavior;
      /** What does not match is taken for the matches. */
      readonly invert: boolean;
    }
  | { readonly type: 'Sequence'; readonly pretokenizers: readonly PreTokenizerDefinition[] };

/** Takes a piece of a text, which is never empty. */
type EmitPiece = (text: AlignedText, start: number, end: number) => void;

/** Cuts what is from `start` to `end`, which is not empty, and looks at nothing else. */
export type PreTokenizer = (text: AlignedText, start: number, end: number, emit: EmitPiece) => void;

export function parsePreTokenizer(field: JsonField, depth = 0): PreTokenizerDefinition {
  if (depth > 8) throw field.error('is nested deeper than 8');
  const type = field.get('type');
  switch (type.value) {
    case 'BertPreTokenizer':
    case 'Whitespace':
    case 'WhitespaceSplit':
    case 'UnicodeScripts':
      return { type: type.value };
    case 'ByteLevel':
      return {
        type: 'ByteLevel',
        add_prefix_space: field.get('add_prefix_space').boolean(),
        trim_offsets: field.get('trim_offsets').boolean(true),
        use_regex: field.get('use_regex').boolean(true),
      };
    case 'CharDelimiterSplit':
      return { type: 'CharDelimiterSplit', delimiter: field.get('delimiter').character() };
    case 'Digits':
      return { type: 'Digits', individual_digits: field.get('individual_digits').boolean(false) };
    case 'FixedLength': {
      const length = field.get('length');
      const value = length.isAbsent ? 5 : length.index(2 ** 31 - 1);
      if (value === 0) throw length.error('0 is no length');
      return { type: 'FixedLength', length: value };
    }
    case 'Metaspace':
      return parseMetaspace(field);
    case 'Punctuation': {
      const behavior = field.get('behavior');
      return { type: 'Punctuation', behavior: behavior.isAbsent ? 'Isolated' : behavior.oneOf(splitBehaviors) };
    }
    case 'Split':
      return {
        type: 'Split',
        pattern: parsePatternField(field.get('pattern')),
        behavior: field.get('behavior').oneOf(splitBehaviors),
        invert: field.get('invert').boolean(false),
      };
    case 'Sequence':
      return {
        type: 'Sequence',
        pretokenizers: field
          .get('pretokenizers')
          .items()
          .map((item) => parsePreTokenizer(item, depth + 1)),
      };
    default:
      throw type.unsupported(
        'ByteLevel, BertPreTokenizer, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Split, UnicodeScripts, Whitespace, WhitespaceSplit and Sequence',
      );
  }
}

/** Also of a decoder, which has the same fields. */
export function parseMetaspace(field: JsonField): PreTokenizerDefinition & { type: 'Metaspace' } {
  const scheme = field.get('prepend_scheme');
  const prefix = field.get('add_prefix_space');
  let prepend_scheme = scheme.isAbsent ? 'always' : scheme.oneOf(prependSchemes);
  // As older versions said it.
  if (!prefix.isAbsent && !prefix.boolean()) {
    if (!scheme.isAbsent && prepend_scheme !== 'never') throw prefix.error(`false is not what prepend_scheme says`);
    prepend_scheme = 'never';
  }
  return {
    type: 'Metaspace',
    replacement: field.get('replacement').character(),
    prepend_scheme,
    split: field.get('split').boolean(true),
  };
}

/** The steps one after the other, without sequences. */
export function preTokenizerSteps(definition: PreTokenizerDefinition | null): PreTokenizerDefinition[] {
  if (definition === null) return [];
  return definition.type === 'Sequence' ? definition.pretokenizers.flatMap(preTokenizerSteps) : [definition];
}

/**
 * The steps joined. `keepsBytes`: the last step, ByteLevel, leaves it to the caller to write the pieces in the byte
 * alphabet. `isExact`: nothing is added and nothing removed, so that the pieces are the text.
 */
export function createPreTokenizer(
  steps: readonly PreTokenizerDefinition[],
  { keepsBytes = false, isExact = false } = {},
): PreTokenizer {
  const parts = steps.flatMap((step, i) =>
    createStep(isExact ? exactly(step) : step, !(keepsBytes && i === steps.length - 1)),
  );
  if (parts.length === 0) return (text, start, end, emit) => emit(text, start, end);
  return parts.reduceRight((next, part) => (text, start, end, emit) => {
    part(text, start, end, (piece, from, to) => next(piece, from, to, emit));
  });
}

function exactly(step: PreTokenizerDefinition): PreTokenizerDefinition {
  if (step.type === 'ByteLevel') return { ...step, add_prefix_space: false };
  if (step.type === 'Split' && step.behavior === 'Removed') return { ...step, behavior: 'Isolated' };
  return step;
}

/** GPT-2's pattern, which ByteLevel uses where a model brings none of its own. */
const gpt2Pattern = { Regex: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" };

const whiteSpace = new CodePointSet(classOf.whiteSpace);
const punctuation = new CodePointSet(classOf.punctuation);
const numeric = new CodePointSet(classOf.numeric);
const word = new CodePointSet(classOf.word);

function createStep(step: PreTokenizerDefinition, writesBytes: boolean): PreTokenizer[] {
  switch (step.type) {
    case 'BertPreTokenizer':
      return [cuttingAtSet(whiteSpace, 'Removed'), cuttingAtSet(punctuation, 'Isolated')];
    case 'Whitespace':
      return [cutIntoWords];
    case 'WhitespaceSplit':
      return [cuttingAtSet(whiteSpace, 'Removed')];
    case 'UnicodeScripts':
      return [createScriptCutter()];
    case 'ByteLevel':
      return [
        ...(step.add_prefix_space ? [prefixSpace] : []),
        ...(step.use_regex ? [cuttingAtPattern(gpt2Pattern, 'Isolated', false)] : []),
        ...(writesBytes ? [writeBytes] : []),
      ];
    case 'CharDelimiterSplit':
      return [cuttingAtPattern({ String: step.delimiter }, 'Removed', false)];
    case 'Digits':
      return [cuttingAtSet(numeric, step.individual_digits ? 'Isolated' : 'Contiguous')];
    case 'FixedLength':
      return [cuttingEvery(step.length)];
    case 'Metaspace':
      return [metaspace(step)];
    case 'Punctuation':
      return [cuttingAtSet(punctuation, step.behavior)];
    case 'Split':
      return [cuttingAtPattern(step.pattern, step.behavior, step.invert)];
    case 'Sequence':
      return step.pretokenizers.flatMap((each) => createStep(each, true));
  }
}

function cuttingAtSet(set: CodePointSet, behavior: SplitBehavior): PreTokenizer {
  return (text, start, end, emit) => {
    const pieces = createPieces(behavior, (from, to) => emit(text, from, to));
    let done = start;
    for (let at = start; at < end;) {
      const code = text.text.codePointAt(at)!;
      const next = at + (code > 0xffff ? 2 : 1);
      if (set.has(code)) {
        if (at > done) pieces.add(done, at, false);
        pieces.add(at, next, true);
        done = next;
      }
      at = next;
    }
    if (end > done) pieces.add(done, end, false);
    pieces.finish();
  };
}

function cuttingAtPattern(definition: PatternDefinition, behavior: SplitBehavior, invert: boolean): PreTokenizer {
  const matcher = createMatcher(definition, 'pre_tokenizer');
  return (text, start, end, emit) => {
    const pieces = createPieces(behavior, (from, to) => emit(text, from, to));
    let done = start;
    matcher.forEachMatch(text.text, start, end, (from, to) => {
      if (from > done) pieces.add(done, from, invert);
      pieces.add(from, to, !invert);
      done = to;
    });
    if (end > done) pieces.add(done, end, invert);
    pieces.finish();
  };
}

/** Runs of word characters, and runs of others that are no white space. */
function cutIntoWords(text: AlignedText, start: number, end: number, emit: EmitPiece): void {
  let open = start;
  let kind: 'space' | 'word' | 'other' = 'space';
  for (let at = start; at < end;) {
    const code = text.text.codePointAt(at)!;
    const now = word.has(code) ? 'word' : whiteSpace.has(code) ? 'space' : 'other';
    if (now !== kind) {
      if (kind !== 'space') emit(text, open, at);
      open = at;
      kind = now;
    }
    at += code > 0xffff ? 2 : 1;
  }
  if (kind !== 'space') emit(text, open, end);
}

function cuttingEvery(length: number): PreTokenizer {
  return (text, start, end, emit) => {
    for (let at = start; at < end;) {
      let next = at;
      for (let i = 0; i < length && next < end; i++) next += widthAt(text.text, next);
      emit(text, at, next);
      at = next;
    }
  };
}

function prefixSpace(text: AlignedText, start: number, end: number, emit: EmitPiece): void {
  if (!text.beginsPart(start) || text.text.startsWith(' ', start)) {
    emit(text, start, end);
    return;
  }
  const prefixed = text.slice(start, end).prepend(' ');
  emit(prefixed, 0, prefixed.text.length);
}

function metaspace({
  replacement,
  prepend_scheme,
  split,
}: PreTokenizerDefinition & { type: 'Metaspace' }): PreTokenizer {
  return (text, start, end, emit) => {
    const wantsPrefix =
      text.beginsPart(start) &&
      (prepend_scheme === 'always' || (prepend_scheme === 'first' && text.beginsOriginal(start))) &&
      text.text[start] !== ' ' &&
      !text.text.startsWith(replacement, start);
    let part = text.slice(start, end);
    if (part.text.includes(' ')) {
      part = part.rewritten(part.text.replaceAll(' ', replacement), (rewriting) => {
        for (const character of part.text) rewriting.add(character === ' ' ? replacement : character, 0);
      });
    }
    if (wantsPrefix) part = part.prepend(replacement);
    let done = 0;
    if (split) {
      // Each is the beginning of a piece.
      for (let at = part.text.indexOf(replacement, 1); at >= 0; at = part.text.indexOf(replacement, at + 1)) {
        emit(part, done, at);
        done = at;
      }
    }
    emit(part, done, part.text.length);
  };
}

function writeBytes(text: AlignedText, start: number, end: number, emit: EmitPiece): void {
  const written = toByteAlphabet(text.slice(start, end));
  emit(written, 0, written.text.length);
}
