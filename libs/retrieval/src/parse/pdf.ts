/** PDF: the text of each page, its lines joined to paragraphs by their distances and sizes. */
import { getDocumentProxy } from 'unpdf';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type ParsedDocument, TextBuilder } from './parsed-document.ts';

interface Item {
  readonly str: string;
  readonly height: number;
  readonly hasEOL: boolean;
  readonly transform: readonly number[];
}

interface Line {
  text: string;
  readonly y: number;
  readonly height: number;
}

const mostPages = 20_000;

export async function parsePdf(bytes: Uint8Array, source: string): Promise<ParsedDocument> {
  const builder = new TextBuilder(source);
  const pdf = await open(bytes, source);
  try {
    if (pdf.numPages > mostPages) {
      throw new CrucibleError(
        'resource-exhausted',
        `${source}: it has ${pdf.numPages} pages; ${mostPages} are allowed`,
        {
          at: source,
        },
      );
    }
    for (let number = 1; number <= pdf.numPages; number++) {
      try {
        const page = await pdf.getPage(number);
        const { items } = await page.getTextContent();
        addPage(builder, items as readonly Item[], number);
        page.cleanup();
      } catch (reason) {
        if (reason instanceof CrucibleError) throw reason;
        throw invalidInput(`${source}: page ${number} is damaged: ${(reason as Error).message}`, {
          at: `${source}:${number}`,
          cause: reason,
        });
      }
    }
    const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
    const { Title: title, Author: author } = info as { readonly Title?: unknown; readonly Author?: unknown };
    return builder.build(
      typeof title === 'string' ? title : '',
      typeof author === 'string' && author !== '' ? { author } : {},
    );
  } finally {
    await pdf.loadingTask.destroy();
  }
}

async function open(bytes: Uint8Array, source: string): ReturnType<typeof getDocumentProxy> {
  try {
    // The parser takes the buffer for itself.
    return await getDocumentProxy(Uint8Array.from(bytes), { verbosity: 0, stopAtErrors: true });
  } catch (reason) {
    const { name, message } = reason as Error;
    const what =
      name === 'PasswordException' ? 'it is encrypted, and needs a password' : `it is a damaged PDF: ${message}`;
    throw invalidInput(`${source}: ${what}`, { at: source, cause: reason });
  }
}

function addPage(builder: TextBuilder, items: readonly Item[], page: number): void {
  const lines = linesOf(items);
  const usual = usualHeight(lines);
  let paragraph: Line[] = [];
  const flush = (): void => {
    const [first] = paragraph;
    if (!first) return;
    const isHeading = first.height > usual * 1.15 && paragraph.length <= 3;
    const text = joinLines(paragraph.map(({ text: each }) => each));
    if (isHeading) builder.add('heading', text, { level: first.height > usual * 1.5 ? 1 : 2, page });
    else builder.add('text', text, { page });
    paragraph = [];
  };
  for (const line of lines) {
    const last = paragraph.at(-1);
    const gap = last ? Math.abs(last.y - line.y) : 0;
    if (
      last &&
      (gap > 1.7 * Math.max(last.height, line.height, 1) || Math.abs(last.height - line.height) > 0.15 * usual)
    )
      flush();
    paragraph.push(line);
  }
  flush();
}

/** The height that most of the page's characters have, or less. */
function usualHeight(lines: readonly Line[]): number {
  const ordered = [...lines].sort((a, b) => a.height - b.height);
  const half = lines.reduce((sum, { text }) => sum + text.length, 0) / 2;
  let seen = 0;
  return ordered.find(({ text }) => (seen += text.length) >= half)?.height ?? 0;
}

function linesOf(items: readonly Item[]): Line[] {
  const lines: Line[] = [];
  let line: Line | undefined;
  for (const { str, height, hasEOL, transform } of items) {
    const y = transform[5] ?? 0;
    if (line && str !== '' && Math.abs(line.y - y) > 0.5 * Math.max(line.height, height, 1)) line = undefined;
    if (!line && str.trim() !== '') lines.push((line = { text: '', y, height: height || 1 }));
    if (line) line.text += str;
    if (hasEOL) line = undefined;
  }
  return lines.filter(({ text }) => text.trim() !== '');
}

/** Words that a line's end has broken are put together. */
function joinLines(lines: readonly string[]): string {
  return lines.reduce((text, line) => {
    if (text === '') return line;
    if (/\p{Ll}-$/u.test(text) && /^\p{Ll}/u.test(line)) return text.slice(0, -1) + line;
    const isUnspaced = /[\p{Script=Han}，。、；：？！]$/u.test(text) && /^[\p{Script=Han}，。、；：？！]/u.test(line);
    return isUnspaced ? text + line : `${text} ${line}`;
  }, '');
}
