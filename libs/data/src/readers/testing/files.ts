/** For tests: files in a folder of their own, and the data that lies beside the checkout. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes files into a new folder and returns its path. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** A file of rows; objects are written as JSON, texts as they are. */
export function rowsFile(rows: readonly unknown[], name = 'rows.jsonl'): string {
  const text = rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join('');
  return join(folderWith({ [name]: name.endsWith('.gz') ? gzipSync(text) : text }), name);
}

/** `../shared/data` beside the repository. */
export function sharedData(path: string): { readonly path: string; readonly isMissing: boolean } {
  const full = fileURLToPath(new URL(`../../../../../../shared/data/${path}`, import.meta.url));
  return { path: full, isMissing: !existsSync(full) };
}
