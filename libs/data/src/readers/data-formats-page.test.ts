/** docs/data-formats.md holds what the readers take and refuse: its examples are read, its messages are provoked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCorpus } from './corpus.ts';
import { readInstructions } from './instructions.ts';
import { readPreferences } from './preferences.ts';
import { readPrompts } from './prompts.ts';
import type { RecordStream } from './record-stream.ts';
import { all } from './testing/all.ts';
import { folderWith, rowsFile, temporaryFolder } from './testing/files.ts';

const page = readFileSync(new URL('../../../../docs/data-formats.md', import.meta.url), 'utf8');

const readers: Readonly<Record<string, (path: string) => RecordStream<{ readonly at: string }>>> = {
  instructions: readInstructions,
  preferences: readPreferences,
  prompts: readPrompts,
};

async function read(kind: string, rows: readonly string[]): Promise<object[]> {
  const records = await all(readers[kind]!(rowsFile(rows)));
  return records.map((record) => ({ ...record, at: undefined }));
}

describe('docs/data-formats.md', () => {
  const examples = [
    ...page.matchAll(/<!-- (\w+), (each|together) -->\n\n```text\n([^]*?)\n```\n\n```json\n([^]*?)\n```/g),
  ].map(([, kind, how, rows, record]) => ({ kind: kind!, how, rows: rows!.split('\n'), record: record! }));

  it('has examples of everything', () => {
    expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(Object.keys(readers)));
    expect(examples).toHaveLength([...page.matchAll(/```text/g)].length);
  });

  it.each(examples)('is right about $kind, $how of: $rows.0', async ({ kind, how, rows, record }) => {
    for (const file of how === 'each' ? rows.map((row) => [row]) : [rows])
      expect(await read(kind, file)).toEqual([JSON.parse(record)]);
  });

  const refused = [...page.matchAll(/<!-- (\w+), errors -->\n\n(?:\|.*\n){2}((?:\|.*\n)+)/g)].flatMap(
    ([, kind, table]) =>
      [...table!.matchAll(/^\| `(.*?)`\s+\| `(.*?)`\s+\|$/gm)].map(([, row, message]) => ({
        kind: kind!,
        // A bar would end the cell.
        row: row!.replaceAll('\\|', '|'),
        message: message!,
      })),
  );

  it('names an error for each kind of mistake', () => expect(refused).toHaveLength(19));

  it.each(refused)('says what is wrong with $kind such as $row', async ({ kind, row, message }) => {
    const path = rowsFile([row]);
    const reason: unknown = await all(readers[kind]!(path)).catch((error: unknown) => error);
    const told = (reason as Error).message;
    if (message.endsWith('…')) expect(told.startsWith(`${path}:1: ${message.slice(0, -1)}`), told).toBe(true);
    else expect(told).toBe(`${path}:1: ${message}`);
  });

  it('says how a corpus is refused', () => {
    const problem = (path: string): string => {
      try {
        for (const document of readCorpus(path)) expect(document.text).not.toBe('');
      } catch (reason) {
        return (reason as Error).message.slice(path.length);
      }
      return 'none';
    };
    const file = (content: string | Uint8Array): string => join(folderWith({ 'a.txt': content }), 'a.txt');
    const told = [
      `PATH${problem(join(temporaryFolder(), 'missing'))}`,
      `PATH${problem(folderWith({ 'a.pdf': 'text' }))}`,
      `PATH${problem(folderWith({ 'a.txt': ' \n' }))}`,
      `FILE${problem(file(Buffer.from('caf\u00e9', 'latin1')))}`,
      `FILE${problem(file(Buffer.from('\ufeffa', 'utf16le')))}`,
      `FILE${problem(file(Uint8Array.of(0x61, 0x00)))}`,
    ];
    const shown = page.slice(page.indexOf('## Corpus'), page.indexOf('## Rows'));
    expect([...shown.matchAll(/^\| `([A-Z]+: .*?)`/gm)].map(([, message]) => message)).toEqual(told);
  });
});
