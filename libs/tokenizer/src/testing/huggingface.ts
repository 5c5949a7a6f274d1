/** Hugging Face's tokenizers and transformers, where Python has them: the reference for tests. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { NormalizerDefinition } from '../normalizers/normalizer.ts';
import type { PreTokenizerDefinition } from '../pre-tokenizers/pre-tokenizer.ts';
import type { Tokenizer } from '../tokenizer.ts';

/** Python with the packages `tokenizers` and `transformers`. */
const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';
const script = join(import.meta.dirname, '../../fixtures/huggingface.py');

/** Asks fixtures/huggingface.py. */
function run(request: object): { answer?: unknown; complaint: string } {
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' },
  });
  return status === 0 ? { answer: JSON.parse(stdout), complaint: '' } : { complaint: stderr };
}

function ask(request: object): unknown {
  const { answer, complaint } = run(request);
  if (answer === undefined) throw new Error(`internal: huggingface.py failed: ${complaint}`);
  return answer;
}

/** The versions of the packages, undefined where there are none. */
export const huggingFace = run({}).answer as { tokenizers: string; transformers: string } | undefined;

/** Where a part of a text is, in code points. */
type Span = readonly [start: number, end: number];

/** Ids, offsets, type ids, special tokens mask. */
type EncodingLists = readonly [number[], Span[], number[], number[]];

/** What a tokenizer makes of texts. */
export interface Description {
  /** Ids where special tokens are found in the texts, and where they are not. */
  readonly special: number[][];
  readonly plain: number[][];
  readonly encodings: EncodingLists[];
  /** Of each of the first 1,000 texts with the one before it as its pair. */
  readonly pairs: EncodingLists[];
  /** Of the ids in `special`, with special tokens and without. */
  readonly decoded: string[];
  readonly skipping: string[];
}

export interface HuggingFaceFolder {
  readonly chats: number[][];
  readonly texts: number[][];
  readonly decoded: string[];
  readonly special: string[];
  readonly maxLength: number;
  readonly tokens: Readonly<Record<'bos' | 'eos' | 'pad' | 'unk' | 'cls' | 'sep' | 'mask', string | null>>;
}

export interface HuggingFaceChat {
  readonly messages: readonly object[];
  readonly tools?: readonly object[];
  readonly variables?: object;
}

/** The tokenizer.json that training gives, with the pre-tokenizer of our own models. */
export function trainWithHuggingFace(texts: string[], vocabSize: number, specialTokens: string[]): object {
  return ask({ train: texts, vocabSize, specialTokens }) as object;
}

/** A tokenizer.json for each family of models. */
export function familiesWithHuggingFace(texts: string[], vocabSize: number): Record<string, object> {
  return ask({ families: texts, vocabSize }) as Record<string, object>;
}

export function describeWithHuggingFace(tokenizer: object, texts: string[]): Description {
  return ask({ tokenizer, texts }) as Description;
}

/** Normalized texts, and where their characters come from. */
export function normalizeWithHuggingFace(normalizer: NormalizerDefinition, texts: string[]): [string, Span[]][] {
  return ask({ normalizer, texts }) as [string, Span[]][];
}

export function preTokenizeWithHuggingFace(
  preTokenizer: PreTokenizerDefinition,
  texts: string[],
): [piece: string, span: Span][][] {
  return ask({ preTokenizer, texts }) as [string, Span][][];
}

/** Where patterns match; a message where they cannot be used. */
export function matchWithHuggingFace(patterns: (readonly [pattern: string, text: string])[]): (Span[] | string)[] {
  return ask({ patterns }) as (Span[] | string)[];
}

/** What transformers makes of a tokenizer's folder. */
export function loadWithHuggingFace(folder: string, texts: string[], chats: HuggingFaceChat[]): HuggingFaceFolder {
  return ask({ folder, texts, chats }) as HuggingFaceFolder;
}

/** What our tokenizer makes of well-formed texts, in the reference's terms. */
export function describeOurs(tokenizer: Tokenizer, texts: string[]): Description {
  const special = texts.map((text) => tokenizer.encodeWithSpecialTokens(text));
  const places = texts.map(codePointPlaces);
  const lists = (i: number, pair?: number): EncodingLists => {
    const options = pair === undefined ? {} : { pair: texts[pair]! };
    const found = tokenizer.tokenize(texts[i]!, { ...options, findSpecialTokens: true });
    const spans = found.offsets.map(([start, end], n): Span => {
      const place = places[found.sequences[n] === 1 ? pair! : i]!;
      return [place[start]!, place[end]!];
    });
    return [found.ids, spans, found.typeIds, found.specialTokensMask];
  };
  return {
    special,
    plain: texts.map((text) => tokenizer.encode(text)),
    encodings: texts.map((_, i) => lists(i)),
    pairs: texts.slice(0, 1000).map((_, i) => lists(i, (i + texts.length - 1) % texts.length)),
    decoded: special.map((ids) => tokenizer.decode(ids)),
    skipping: special.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true })),
  };
}

/** Special tokens among `ids`, except for the one that stands for what is unknown. */
export function specialIds(tokenizer: Tokenizer, ids: number[]): number[] {
  const unk = unkOf(tokenizer);
  return ids.filter((id) => tokenizer.isSpecial(id) && tokenizer.idToToken(id) !== unk);
}

/**
 * Whether the reference, told not to look for special tokens, has made one of text all the same: models of some kinds do
 * where the text, once it is normalized, is what the vocabulary has for it.
 */
export function isMistaken(tokenizer: Tokenizer, text: string, ids: number[]): boolean {
  const unk = unkOf(tokenizer);
  const isWritten = unk !== null && text.normalize('NFKC').toLowerCase().includes(unk.toLowerCase());
  return isWritten || specialIds(tokenizer, ids).length > 0;
}

function unkOf({ definition: { model } }: Tokenizer): string | null {
  if (model.type !== 'Unigram') return model.unkToken;
  return model.unkId === null ? null : model.pieces[model.unkId]![0];
}

/** By code unit: how many code points come before it. */
export function codePointPlaces(text: string): Int32Array {
  const places = new Int32Array(text.length + 1);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    places[at] = count;
    if ((text.charCodeAt(at) & 0xfc00) !== 0xd800) count++;
  }
  places[text.length] = count;
  return places;
}

/** As the fixtures have it of what is too long to be written there. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
