/** A file as documents, by the ending of its name. */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { parseCsv } from './csv.ts';
import { decodeText } from './decode-text.ts';
import { parseDocx } from './docx.ts';
import { decodeHtml, parseHtml } from './html.ts';
import { parseJsonl } from './jsonl.ts';
import { parseMarkdown } from './markdown.ts';
import type { ParsedDocument, ParsedSource } from './parsed-document.ts';
import { parsePdf } from './pdf.ts';
import { parsePlainText } from './plain-text.ts';

type Format = 'markdown' | 'html' | 'pdf' | 'docx' | 'text' | 'csv' | 'jsonl';

const formats: Readonly<Record<string, Format>> = {
  md: 'markdown',
  markdown: 'markdown',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  pdf: 'pdf',
  docx: 'docx',
  txt: 'text',
  text: 'text',
  csv: 'csv',
  tsv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
};

const readableEndings = Object.keys(formats);

/** Bytes that a source may have. */
export const mostSourceBytes = 128 * 1024 * 1024;

export interface SourceOptions {
  /** Of text formats, a label of the WHATWG encoding standard. Default: what the file says, else UTF-8. */
  readonly encoding?: string;
}

export function formatOf(name: string): Format | undefined {
  const ending = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(formats, ending) ? formats[ending] : undefined;
}

/** Throws a CrucibleError that names the source, and the place in it where there is one. */
export async function parseSource(
  bytes: Uint8Array,
  name: string,
  { encoding }: SourceOptions = {},
): Promise<ParsedSource> {
  const format = formatOf(name);
  if (!format) {
    throw invalidInput(`${name}: its ending says no known format; there are ${readableEndings.join(', ')}`, {
      at: name,
    });
  }
  assertSourceSize(bytes.length, name);
  if (format === 'jsonl') {
    const parsed = parseJsonl(decodeText(bytes, name, encoding), name);
    if (parsed.documents.length === 0 && parsed.failures.length === 0) throw noText(name);
    return parsed;
  }
  const document = await parseOne(bytes, name, format, encoding);
  if (document.blocks.length === 0) throw noText(name, format === 'pdf' ? ' (perhaps a scan)' : '');
  return { documents: [{ ...document, title: document.title || titleFrom(name) }], failures: [] };
}

export function assertSourceSize(bytes: number, name: string): void {
  if (bytes <= mostSourceBytes) return;
  throw new CrucibleError('resource-exhausted', `${name}: it is larger than ${mostSourceBytes} bytes`, { at: name });
}

async function parseOne(
  bytes: Uint8Array,
  name: string,
  format: Exclude<Format, 'jsonl'>,
  encoding: string | undefined,
): Promise<ParsedDocument> {
  switch (format) {
    case 'pdf':
      return parsePdf(bytes, name);
    case 'docx':
      return parseDocx(bytes, name);
    case 'html':
      return parseHtml(decodeHtml(bytes, name, encoding), name);
    case 'markdown':
      return parseMarkdown(decodeText(bytes, name, encoding), name);
    case 'csv':
      return parseCsv(decodeText(bytes, name, encoding), name);
    case 'text':
      return parsePlainText(decodeText(bytes, name, encoding), name);
  }
}

function noText(name: string, why = ''): CrucibleError {
  return invalidInput(`${name}: there is no text in it${why}`, { at: name });
}

function titleFrom(name: string): string {
  return name
    .replace(/^.*\//, '')
    .replace(/\.[^.]+$/, '')
    .replaceAll(/[-_]+/g, ' ');
}
