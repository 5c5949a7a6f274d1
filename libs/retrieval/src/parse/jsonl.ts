/** A document a line: `{"text": …}` with an id, a title and metadata where they are given. */
import type { Metadata, MetadataValue, ParsedDocument, ParsedSource, PartFailure } from './parsed-document.ts';
import { assertLength } from './parsed-document.ts';
import { paragraphs } from './plain-text.ts';

const textFields = ['text', 'content', 'contents', 'body', 'passage'];
const idFields = ['_id', 'id', 'docid', 'doc_id'];

/** Lines that hold no document are failures, which name the line; the others are taken. */
export function parseJsonl(text: string, source: string): ParsedSource {
  const documents: ParsedDocument[] = [];
  const failures: PartFailure[] = [];
  const seen = new Map<string, number>();
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const at = `${source}:${i + 1}`;
    const fail = (what: string): void => void failures.push({ at, message: `${at}: ${what}` });
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (reason) {
      fail(`it is no JSON: ${(reason as Error).message}`);
      return;
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      fail('it is no JSON object');
      return;
    }
    const fields = row as Readonly<Record<string, unknown>>;
    const textField = textFields.find((name) => typeof fields[name] === 'string');
    if (textField === undefined) {
      fail(`it has no text; one of ${textFields.join(', ')} is needed`);
      return;
    }
    const idField = idFields.find((name) => typeof fields[name] === 'string' || typeof fields[name] === 'number');
    const part = idField === undefined ? String(i + 1) : String(fields[idField]);
    const earlier = seen.get(part);
    if (earlier !== undefined) {
      fail(`${idField} ${JSON.stringify(part)} is that of line ${earlier} too`);
      return;
    }
    seen.set(part, i + 1);
    const own = fields[textField] as string;
    assertLength(own.length, at);
    const title = typeof fields['title'] === 'string' ? fields['title'] : '';
    if (own.trim() === '' && title.trim() === '') {
      fail('its text is empty');
      return;
    }
    const full = own.trim() === '' ? title : own;
    const used = new Set([textField, idField, 'title', 'metadata']);
    const nested = typeof fields['metadata'] === 'object' && fields['metadata'] !== null ? fields['metadata'] : {};
    const metadata = metadataOf({
      ...Object.fromEntries(Object.entries(fields).filter(([name]) => !used.has(name))),
      ...nested,
    });
    documents.push({ part, title, text: full, blocks: paragraphs(full, 0, full.length), metadata });
  });
  return { documents, failures };
}

/** The values that can be filtered by. */
export function metadataOf(given: object): Metadata {
  const isValue = (value: unknown): value is MetadataValue =>
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value)) ||
    (Array.isArray(value) && value.every((each) => typeof each === 'string'));
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, MetadataValue] => isValue(entry[1])),
  );
}
