/** Records out of the rows of a JSON-lines file: checked one by one, with an error that names file, line and field. */
import { CrucibleError, invalidInput, throwIfCancelled } from '@crucible/foundation';
import { assertLinesFile, readLines } from './lines.ts';
import { decodeUtf8 } from './utf8.ts';

export interface ReadRowsOptions {
  /** What happens to a row that breaks the rules: the reading fails, or the row is left out and counted. Default: error. */
  readonly onInvalid?: 'error' | 'skip';
  /** The longest row, in bytes; default 4 MiB. */
  readonly maxRowBytes?: number;
  readonly signal?: AbortSignal;
}

/** Reads the file anew every time it is iterated. */
export interface RecordStream<T> extends AsyncIterable<T> {
  /** What the last iteration has left out so far. */
  readonly skipped: SkippedRows;
}

export interface SkippedRows {
  readonly count: number;
  /** Why, for the first ten. */
  readonly reasons: readonly string[];
}

/** Turns rows into records; `at` is FILE:LINE, for errors and for the record. */
export interface RowParser<T> {
  parse(row: Row, at: string): readonly T[];
  /** What can be told only when all rows have been read. */
  finish?(): Iterable<() => T>;
}

export type Row = Readonly<Record<string, unknown>>;

/** `createParser` is called at the beginning of every iteration. */
export function createRecordStream<T>(
  path: string,
  createParser: () => RowParser<T>,
  { onInvalid = 'error', maxRowBytes = 4 * 2 ** 20, signal }: ReadRowsOptions,
): RecordStream<T> {
  assertLinesFile(path);
  if (!Number.isInteger(maxRowBytes) || maxRowBytes < 2) {
    throw invalidInput(`maxRowBytes: ${maxRowBytes} is not a whole number above 1`, { at: 'maxRowBytes' });
  }
  let count = 0;
  let reasons: string[] = [];
  const attempt = <R>(work: () => R, otherwise: R): R => {
    try {
      return work();
    } catch (reason) {
      if (onInvalid === 'error' || !(reason instanceof CrucibleError)) throw reason;
      count++;
      if (reasons.length < 10) reasons.push(reason.message);
      return otherwise;
    }
  };
  async function* iterate(): AsyncGenerator<T> {
    count = 0;
    reasons = [];
    const parser = createParser();
    let records = 0;
    let rows = 0;
    for await (const { number, bytes } of readLines(path, maxRowBytes)) {
      throwIfCancelled(signal, `reading ${path}`);
      if (bytes !== undefined && isBlank(bytes)) continue;
      rows++;
      const at = `${path}:${number}`;
      for (const record of attempt(() => parser.parse(rowFrom(bytes, at, maxRowBytes), at), [])) {
        records++;
        yield record;
      }
    }
    for (const finish of parser.finish?.() ?? []) {
      const record = attempt<T | undefined>(finish, undefined);
      if (record === undefined) continue;
      records++;
      yield record;
    }
    if (rows === 0) throw invalidInput(`${path}: has no rows`, { at: path });
    if (records === 0)
      throw invalidInput(`${path}: all its ${rows} rows break the rules; the first: ${reasons[0]}`, { at: path });
  }
  return {
    [Symbol.asyncIterator]: iterate,
    get skipped() {
      return { count, reasons };
    },
  };
}

function rowFrom(bytes: Uint8Array | undefined, at: string, maxRowBytes: number): Row {
  if (bytes === undefined) throw invalidInput(`${at}: the row is longer than ${maxRowBytes} bytes`, { at });
  const text = decodeUtf8(bytes, at).replace(/^\ufeff/, '');
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (reason) {
    throw invalidInput(`${at}: is not JSON: ${(reason as Error).message}`, { at, cause: reason });
  }
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Row;
  throw invalidInput(`${at}: is not a JSON object`, { at });
}

/** A file may end in blank lines, and lines may end in \r\n. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
