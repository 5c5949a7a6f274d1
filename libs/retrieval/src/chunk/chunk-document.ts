/**
 * Documents as passages: first by structure (a heading begins a new one), then whole paragraphs and sentences up to a size.
 * A table or a block of code stays whole as long as it is not several times that size. Every passage is a stretch of the
 * document's text, from its first character to its last.
 */
import type { Block, ParsedDocument } from '../parse/parsed-document.ts';
import { headingText } from '../parse/markdown.ts';
import { sentenceStarts } from './sentences.ts';

export interface Chunk {
  /** UTF-16 code units of the document's text. */
  readonly start: number;
  readonly end: number;
  /** The headings that it is under, ` > ` between them. */
  readonly heading: string;
  /** The page that it begins on; 0 where there are none. */
  readonly page: number;
}

export interface ChunkOptions {
  /** Tokens that a passage shall have at most. Default: 200. */
  readonly size?: number;
  /** Tokens of a text, in the words of the embedder. Default: see `estimateTokens`. */
  readonly countTokens?: (text: string) => number;
}

/** A piece that is not cut any more. */
interface Unit {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  /** Whether a paragraph begins with it. */
  readonly opens: boolean;
  readonly page: number;
}

/** Sizes of what is kept whole, in sizes of a passage. */
const mostWhole = 4;

export function chunkDocument(document: ParsedDocument, options: ChunkOptions = {}): Chunk[] {
  const { size = 200, countTokens = estimateTokens } = options;
  const { text } = document;
  const chunks: Chunk[] = [];
  const path: { readonly level: number; readonly title: string }[] = [];
  let units: Unit[] = [];
  let isHeadingOnly = true;
  const flush = (): void => {
    const heading = path.map(({ title }) => title).join(' > ');
    for (const chunk of pack(units, size)) chunks.push({ ...chunk, heading });
    units = [];
    isHeadingOnly = true;
  };
  for (const block of document.blocks) {
    if (block.kind === 'heading') {
      // Headings without a text between them stay together with what follows.
      if (!isHeadingOnly) flush();
      const level = block.level ?? 1;
      while (path.length > 0 && path.at(-1)!.level >= level) path.pop();
      path.push({ level, title: headingText(text.slice(block.start, block.end)) });
    } else isHeadingOnly = false;
    for (const unit of unitsOf(text, block, size, countTokens)) units.push(unit);
  }
  flush();
  return chunks;
}

/** About as many as a subword tokenizer makes: four characters of a spaced script, one of Chinese. */
export function estimateTokens(text: string): number {
  let wide = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x2e7f) wide++;
  return wide + Math.ceil((text.length - wide) / 4);
}

function pack(units: readonly Unit[], size: number): Omit<Chunk, 'heading'>[] {
  const chunks: Omit<Chunk, 'heading'>[] = [];
  let current: Unit[] = [];
  let tokens = 0;
  const flush = (count = current.length): void => {
    const [first] = current;
    if (!first || count === 0) return;
    chunks.push({ start: first.start, end: current[count - 1]!.end, page: first.page });
    current = current.slice(count);
    tokens = current.reduce((sum, unit) => sum + unit.tokens, 0);
  };
  for (const unit of units) {
    if (tokens > 0 && tokens + unit.tokens > size) {
      // Rather at the last paragraph's beginning, where that leaves half a passage.
      const opening = unit.opens ? -1 : current.findLastIndex(({ opens }) => opens);
      const before = current.slice(0, Math.max(0, opening)).reduce((sum, each) => sum + each.tokens, 0);
      const rest = tokens - before + unit.tokens;
      flush(opening > 0 && before >= size / 2 && rest <= size ? opening : current.length);
    }
    current.push(unit);
    tokens += unit.tokens;
  }
  flush();
  return chunks;
}

function unitsOf(text: string, block: Block, size: number, countTokens: (text: string) => number): Unit[] {
  const page = block.page ?? 0;
  const unit = (start: number, end: number, opens: boolean): Unit => {
    const trimmed = end - (text.slice(start, end).length - text.slice(start, end).trimEnd().length);
    return { start, end: trimmed, tokens: countTokens(text.slice(start, trimmed)), opens, page };
  };
  const whole = unit(block.start, block.end, true);
  const isKept = block.kind === 'table' || block.kind === 'code' || block.kind === 'heading';
  if (whole.tokens <= (isKept ? mostWhole * size : size) && (isKept || whole.tokens <= size / 4)) return [whole];
  const starts = isKept ? lineStarts(text, block) : sentenceStarts(text, block.start, block.end);
  return starts.flatMap((start, i) => {
    const piece = unit(start, starts[i + 1] ?? block.end, i === 0);
    return piece.tokens <= size ? [piece] : fragments(text, piece, size).map((place) => unit(...place, false));
  });
}

function lineStarts(text: string, { start, end }: Block): number[] {
  const starts = [start];
  for (let at = text.indexOf('\n', start); at !== -1 && at + 1 < end; at = text.indexOf('\n', at + 1))
    starts.push(at + 1);
  return starts;
}

/** A sentence without end is cut at spaces, or anywhere but within a character. */
function fragments(text: string, { start, end, tokens }: Unit, size: number): (readonly [number, number])[] {
  const places: (readonly [number, number])[] = [];
  const stride = Math.max(1, Math.floor(((end - start) * size) / tokens));
  for (let at = start; at < end;) {
    let next = Math.min(end, at + stride);
    if (next < end) {
      const space = text.slice(at, next).search(/\s\S*$/);
      if (space > stride / 2) next = at + space + 1;
      else if (isLowSurrogate(text.charCodeAt(next))) next = next - 1 > at ? next - 1 : next + 1;
    }
    places.push([at, next]);
    at = next;
  }
  return places;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
