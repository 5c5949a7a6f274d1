import { assertLength, type Block, type ParsedDocument } from './parsed-document.ts';

/** Paragraphs are what blank lines part. The text is the source, with its line ends as they are. */
export function parsePlainText(text: string, source: string): ParsedDocument {
  assertLength(text.length, source);
  return { part: '', title: '', text, blocks: paragraphs(text, 0, text.length), metadata: {} };
}

/** The paragraphs of a stretch of text. */
export function paragraphs(text: string, from: number, to: number): Block[] {
  const blocks: Block[] = [];
  const blank = /\r?\n[^\S\n]*\r?\n\s*/g;
  blank.lastIndex = from;
  for (let start = from; start < to;) {
    const gap = blank.exec(text);
    const end = gap && gap.index < to ? gap.index : to;
    const own = text.slice(start, end);
    const lead = own.length - own.trimStart().length;
    if (lead < own.length) blocks.push({ kind: 'text', start: start + lead, end: start + own.trimEnd().length });
    if (!gap) break;
    start = blank.lastIndex;
  }
  return blocks;
}
