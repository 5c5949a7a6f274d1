/** Tables as text: a row a block, `column: value` parted by semicolons, so that each row is understood by itself. */
import { CsvError, parse } from 'csv-parse/sync';
import { invalidInput } from '@crucible/foundation';
import { type ParsedDocument, TextBuilder } from './parsed-document.ts';

export function parseCsv(text: string, source: string): ParsedDocument {
  const builder = new TextBuilder(source);
  let rows: string[][];
  try {
    rows = parse(text, { delimiter: delimiterOf(text), relaxQuotes: true, skipEmptyLines: true });
  } catch (reason) {
    if (!(reason instanceof CsvError)) throw reason;
    const line = (reason as { lines?: number }).lines;
    const at = line === undefined ? source : `${source}:${line}`;
    throw invalidInput(`${at}: ${reason.message}`, { at, cause: reason });
  }
  const [header = [], ...data] = rows;
  for (const row of data) {
    const cells = header.flatMap((name, i) => (row[i]?.trim() ? [`${name.trim()}: ${row[i].trim()}`] : []));
    builder.add('item', cells.join('; '));
  }
  return builder.build('');
}

/** What parts the most columns in the first line. */
function delimiterOf(text: string): string {
  const [first = ''] = text.split('\n', 1);
  const count = (character: string): number => first.split(character).length;
  return [',', ';', '\t', '|'].reduce((best, each) => (count(each) > count(best) ? each : best));
}
