/** The files under a folder that can be read, by name. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { formatOf } from '@crucible/retrieval';
import type { FileToRead } from './worker-protocol.ts';

export interface FoundFiles {
  readonly files: readonly FileToRead[];
  /** Of other formats. */
  readonly skipped: number;
  /** What all names begin with. */
  readonly prefix: string;
}

/** Throws `not-found` or `invalid-input`. */
export function resolvePath(given: string): string {
  if (given === '') throw invalidInput('path: it is empty', { at: 'path' });
  const path = resolve(given.startsWith('file:') ? fileURLToPath(given) : given);
  if (!statSync(path, { throwIfNoEntry: false })) {
    throw new CrucibleError('not-found', `path: ${path} does not exist`, { at: 'path' });
  }
  return path;
}

/** Hidden ones are left out, links are not followed. */
export function findFiles(path: string): FoundFiles {
  const root = basename(path);
  if (statSync(path).isFile()) return { files: [{ path, name: root }], skipped: 0, prefix: root };
  const files: FileToRead[] = [];
  let skipped = 0;
  const folders = [{ path, name: root }];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    for (const entry of readdirSync(folder.path, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const own = { path: join(folder.path, entry.name), name: `${folder.name}/${entry.name}` };
      if (entry.isDirectory()) folders.push(own);
      else if (entry.isFile() && formatOf(entry.name)) files.push(own);
      else skipped++;
    }
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { files, skipped, prefix: `${root}/` };
}
