/** Labelled texts for classification: JSON lines in several spellings, or plain lines that begin with the label. */
import { invalidInput } from '@crucible/foundation';
import { readLines } from './lines.ts';
import { createRecordStream, type ReadRowsOptions, type Row } from './record-stream.ts';
import { field, hasField, invalidField, textSchema, unknownShape } from './row-fields.ts';
import { decodeUtf8 } from './utf8.ts';

export interface LabelledRecord {
  readonly text: string;
  /** The second text, where a pair is classified. */
  readonly pair?: string;
  readonly label: string;
  /** FILE:LINE */
  readonly at: string;
}

const textNames = ['text', 'sentence', 'sentence1', 'premise', 'review', 'question', 'content'] as const;
const pairNames = ['pair', 'text_pair', 'sentence2', 'hypothesis'] as const;
const labelNames = ['label', 'class', 'category'] as const;

/**
 * Reads .jsonl or .jsonl.gz with rows {text, label}, or {text, pair, label}; or .txt whose lines are a label, a space and the
 * text. A label is a text, a whole number, or true and false.
 */
export function readLabelled(path: string, options: ReadRowsOptions = {}): AsyncIterable<LabelledRecord> {
  if (/\.txt$/i.test(path)) return plainLines(path, options);
  return createRecordStream(path, () => ({ parse: (row, at) => [parseRow(row, at)] }), options);
}

function parseRow(row: Row, at: string): LabelledRecord {
  const nameOf = (names: readonly string[]): string | undefined => names.find((name) => hasField(row, name));
  const [text, pair, label] = [nameOf(textNames), nameOf(pairNames), nameOf(labelNames)];
  if (text === undefined || label === undefined) {
    throw unknownShape(
      row,
      at,
      `a text (${textNames.join(', ')}), its label (${labelNames.join(', ')}) and, for pairs, a second text (${pairNames.join(', ')})`,
    );
  }
  return {
    text: field(row, text, textSchema, at),
    ...(pair !== undefined && { pair: field(row, pair, textSchema, at) }),
    label: labelOf(row[label], label, at),
    at,
  };
}

function labelOf(value: unknown, name: string, at: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value.trim();
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  throw invalidField(at, name, 'is no label; a text, a whole number, true or false is needed');
}

async function* plainLines(path: string, { onInvalid = 'error', maxRowBytes = 4 * 2 ** 20 }: ReadRowsOptions) {
  let count = 0;
  for await (const { number, bytes } of readLines(path, maxRowBytes)) {
    const at = `${path}:${number}`;
    try {
      if (bytes === undefined) throw invalidInput(`${at}: the line is longer than ${maxRowBytes} bytes`, { at });
      const line = decodeUtf8(bytes, at)
        .replace(/^\ufeff/, '')
        .trim();
      if (line === '') continue;
      const [, label, text] = /^(\S+)\s+(.+)$/su.exec(line) ?? [];
      if (label === undefined || text === undefined)
        throw invalidInput(`${at}: is no label, a space and a text`, { at });
      count++;
      yield { label, text, at } satisfies LabelledRecord;
    } catch (reason) {
      if (onInvalid === 'error') throw reason;
    }
  }
  if (count === 0) throw invalidInput(`${path}: has no labelled line`, { at: path });
}
