/**
 * The decoders of tokenizer.json: what is made of tokens, in order, until their texts joined are the text. They take one
 * token after the other and give what is certain, so that a whole text and one that is still coming are decoded alike.
 */
import { bytesFromAlphabet } from '../byte-alphabet.ts';
import type { JsonField } from '../json-field.ts';
import { createMatcher, parsePatternField, type PatternDefinition } from '../pattern/pattern.ts';
import { parseMetaspace, type PreTokenizerDefinition } from '../pre-tokenizers/pre-tokenizer.ts';

export type DecoderDefinition =
  | (PreTokenizerDefinition & { readonly type: 'ByteLevel' | 'Metaspace' })
  | { readonly type: 'ByteFallback' | 'Fuse' }
  | { readonly type: 'WordPiece'; readonly prefix: string; readonly cleanup: boolean }
  | { readonly type: 'BPEDecoder'; readonly suffix: string }
  | {
      readonly type: 'CTC';
      readonly pad_token: string;
      readonly word_delimiter_token: string;
      readonly cleanup: boolean;
    }
  | { readonly type: 'Replace'; readonly pattern: PatternDefinition; readonly content: string }
  | {
      readonly type: 'Strip';
      readonly content: string;
      /** How many of `content` are taken off at most, in front and at the end. */
      readonly start: number;
      readonly stop: number;
    }
  | { readonly type: 'Sequence'; readonly decoders: readonly DecoderDefinition[] };

export function parseDecoder(field: JsonField, depth = 0): DecoderDefinition {
  if (depth > 8) throw field.error('is nested deeper than 8');
  const type = field.get('type');
  switch (type.value) {
    case 'ByteLevel':
      return {
        type: 'ByteLevel',
        add_prefix_space: field.get('add_prefix_space').boolean(true),
        trim_offsets: field.get('trim_offsets').boolean(true),
        use_regex: field.get('use_regex').boolean(true),
      };
    case 'Metaspace':
      return parseMetaspace(field);
    case 'ByteFallback':
    case 'Fuse':
      return { type: type.value };
    case 'WordPiece':
      return { type: 'WordPiece', prefix: field.get('prefix').string(), cleanup: field.get('cleanup').boolean() };
    case 'BPEDecoder':
      return { type: 'BPEDecoder', suffix: field.get('suffix').string() };
    case 'CTC':
      return {
        type: 'CTC',
        pad_token: field.get('pad_token').string(),
        word_delimiter_token: field.get('word_delimiter_token').string(),
        cleanup: field.get('cleanup').boolean(),
      };
    case 'Replace':
      return {
        type: 'Replace',
        pattern: parsePatternField(field.get('pattern')),
        content: field.get('content').string(),
      };
    case 'Strip':
      return {
        type: 'Strip',
        content: field.get('content').character(),
        start: field.get('start').index(2 ** 31 - 1),
        stop: field.get('stop').index(2 ** 31 - 1),
      };
    case 'Sequence':
      return {
        type: 'Sequence',
        decoders: field
          .get('decoders')
          .items()
          .map((item) => parseDecoder(item, depth + 1)),
      };
    default:
      throw type.unsupported(
        'ByteLevel, Metaspace, WordPiece, BPEDecoder, ByteFallback, Fuse, Strip, Replace, CTC and Sequence',
      );
  }
}

/** Decodes a sequence of tokens: the texts returned, joined, are its text. */
export interface Decoding {
  /** The text that is now certain. */
  push(token: string): string;
  /** The rest. The decoding can then be used anew. */
  flush(): string;
}

/** One of several decoders in turn: takes what the one before gives. */
interface Step {
  push(token: string): readonly string[];
  flush(): readonly string[];
}

/** The steps one after the other, without sequences. */
export function decoderSteps(definition: DecoderDefinition | null): DecoderDefinition[] {
  if (definition === null) return [];
  return definition.type === 'Sequence' ? definition.decoders.flatMap(decoderSteps) : [definition];
}

/** Makes a function that begins a decoding. */
export function createDecoder(definition: DecoderDefinition | null): () => Decoding {
  if (definition === null) return spaced;
  const begin = createSteps(decoderSteps(definition));
  return () => {
    const steps = begin.map((beginStep) => beginStep());
    const through = (tokens: readonly string[], first: number): readonly string[] =>
      steps.slice(first).reduce((texts, step) => texts.flatMap((text) => step.push(text)), tokens);
    return {
      push: (token) => through([token], 0).join(''),
      flush: () => steps.map((step, i) => through(step.flush(), i + 1).join('')).join(''),
    };
  };
}

function createSteps([definition, ...rest]: readonly DecoderDefinition[]): (() => Step)[] {
  if (definition === undefined) return [];
  if (definition.type !== 'ByteLevel' && definition.type !== 'Fuse')
    return [createStep(definition), ...createSteps(rest)];
  // These make one token of all. Where nothing depends on the whole, its text is given out as it comes.
  const all = definition.type === 'ByteLevel' ? byteLevel : () => ({ push: (token: string) => token, flush: () => '' });
  const [next] = rest;
  if (rest.length === 0) return [() => asItComes(all())];
  if (rest.length === 1 && next?.type === 'Strip' && next.stop === 0) {
    return [() => asItComes(withoutFront(all(), next.content, next.start))];
  }
  return [() => asAWhole(all()), ...createSteps(rest)];
}

function createStep(definition: DecoderDefinition): () => Step {
  switch (definition.type) {
    case 'ByteFallback':
      return byteFallback;
    case 'Metaspace': {
      const { replacement, prepend_scheme } = definition;
      return () =>
        numbered((token, i) => token.replaceAll(replacement, i === 0 && prepend_scheme !== 'never' ? '' : ' '));
    }
    case 'WordPiece': {
      const { prefix, cleanup } = definition;
      return () =>
        numbered((token, i) => {
          const text = i === 0 ? token : withoutPrefix(token, prefix);
          return cleanup ? cleaned(text) : text;
        });
    }
    case 'BPEDecoder':
      return () => bpeDecoder(definition.suffix);
    case 'CTC':
      return () => ctc(definition);
    case 'Replace': {
      const replace = replacing(definition.pattern, definition.content);
      return () => each(replace);
    }
    case 'Strip': {
      const { content, start, stop } = definition;
      return () => each((token) => stripped(token, content, start, stop));
    }
    default:
      throw new Error(`internal: ${definition.type} is no step of its own`);
  }
}

/** What a token adds to a text that it neither begins nor ends. */
export function createTokenBytes(definition: DecoderDefinition | null): (token: string) => Uint8Array {
  const utf8 = new TextEncoder();
  const changes = decoderSteps(definition).map((step): ((token: string) => string | Uint8Array) => {
    switch (step.type) {
      case 'ByteLevel':
        return (token) => bytesFromAlphabet(token) ?? token;
      case 'ByteFallback':
        return (token) => (byteTokenPattern.test(token) ? Uint8Array.of(byteOf(token)) : token);
      case 'Metaspace':
        return (token) => token.replaceAll(step.replacement, ' ');
      case 'WordPiece':
        return (token) => withoutPrefix(token, step.prefix);
      case 'BPEDecoder':
        return (token) => token.replaceAll(step.suffix, ' ');
      case 'CTC':
        return (token) => ctcText(token, step);
      case 'Replace':
        return replacing(step.pattern, step.content);
      default:
        return (token) => token;
    }
  });
  return (token) => {
    let text: string | Uint8Array = token;
    for (const change of changes) if (typeof text === 'string') text = change(text);
    return typeof text === 'string' ? utf8.encode(text) : text;
  };
}

/** Without a decoder: tokens with spaces between them. */
function spaced(): Decoding {
  let isFirst = true;
  return {
    push: (token) => {
      const text = isFirst ? token : ` ${token}`;
      isFirst = false;
      return text;
    },
    flush: () => {
      isFirst = true;
      return '';
    },
  };
}

function asItComes(all: Decoding): Step {
  return { push: (token) => [all.push(token)], flush: () => [all.flush()] };
}

function asAWhole(all: Decoding): Step {
  let text = '';
  return {
    push: (token) => {
      text += all.push(token);
      return [];
    },
    flush: () => {
      const whole = text + all.flush();
      text = '';
      return [whole];
    },
  };
}

/** Without the first characters, as long as they are `content` and at most `most`. */
function withoutFront(all: Decoding, content: string, most: number): Decoding {
  let left = most;
  const strip = (text: string): string => {
    let rest = text;
    for (; left > 0 && rest.startsWith(content); left--) rest = rest.slice(content.length);
    if (rest !== '') left = 0;
    return rest;
  };
  return {
    push: (token) => strip(all.push(token)),
    flush: () => {
      const rest = strip(all.flush());
      left = most;
      return rest;
    },
  };
}

/** Tokens in the byte alphabet; others stand for their own text. */
function byteLevel(): Decoding {
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (token) => decoder.decode(bytesFromAlphabet(token) ?? utf8.encode(token), { stream: true }),
    flush: () => decoder.decode(),
  };
}

const byteTokenPattern = /^<0x[0-9A-Fa-f]{2}>$/;

function byteOf(token: string): number {
  return Number.parseInt(token.slice(3, 5), 16);
}

/** Tokens such as `<0x0A>` become text together; a run of them that is no UTF-8 becomes U+FFFD, one for every byte. */
function byteFallback(): Step {
  let bytes: number[] = [];
  const flush = (): string[] => {
    if (bytes.length === 0) return [];
    const run = Uint8Array.from(bytes);
    bytes = [];
    try {
      return [new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(run)];
    } catch {
      return Array.from(run, () => '\ufffd');
    }
  };
  return {
    push: (token) => {
      if (!byteTokenPattern.test(token)) return [...flush(), token];
      bytes.push(byteOf(token));
      return [];
    },
    flush,
  };
}

/** The suffix that ends a word becomes a space, but not at the end of the text. */
function bpeDecoder(suffix: string): Step {
  let last: string | undefined;
  return {
    push: (token) => {
      const before = last;
      last = token;
      return before === undefined ? [] : [before.replaceAll(suffix, ' ')];
    },
    flush: () => {
      const before = last;
      last = undefined;
      return before === undefined ? [] : [before.replaceAll(suffix, '')];
    },
  };
}

/** Of a token that is repeated at once only the first counts. */
function ctc(definition: DecoderDefinition & { type: 'CTC' }): Step {
  let last: string | undefined;
  return {
    push: (token) => {
      if (token === last) return [];
      last = token;
      const text = ctcText(token, definition);
      return text === '' ? [] : [text];
    },
    flush: () => {
      last = undefined;
      return [];
    },
  };
}

function ctcText(token: string, definition: DecoderDefinition & { type: 'CTC' }): string {
  const text = token.replaceAll(definition.pad_token, '');
  return definition.cleanup ? cleaned(text).replaceAll(definition.word_delimiter_token, ' ') : text;
}

function each(change: (token: string) => string): Step {
  return { push: (token) => [change(token)], flush: () => [] };
}

/** `change` gets the number of the token in its sequence too. */
function numbered(change: (token: string, i: number) => string): Step {
  let i = 0;
  return {
    push: (token) => [change(token, i++)],
    flush: () => {
      i = 0;
      return [];
    },
  };
}

function withoutPrefix(token: string, prefix: string): string {
  return token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
}

/** Undoes what splitting English text at punctuation does to it. */
function cleaned(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

function replacing(pattern: PatternDefinition, content: string): (text: string) => string {
  const matcher = createMatcher(pattern, 'decoder');
  return (text) => {
    let result = '';
    let done = 0;
    matcher.forEachMatch(text, 0, text.length, (start, end) => {
      result += text.slice(done, start) + content;
      done = end;
    });
    return result + text.slice(done);
  };
}

function stripped(token: string, content: string, start: number, stop: number): string {
  const characters = Array.from(token);
  let from = 0;
  while (from < start && characters[from] === content) from++;
  let to = characters.length;
  while (characters.length - to < stop && to > from && characters[to - 1] === content) to--;
  return characters.slice(from, to).join('');
}
