/**
 * One process a folder. Node offers no lock that the system releases when a process dies, but SQLite, which is part of
 * Node, takes one: an exclusive transaction on a file of its own that is never written. A file of process ids alone
 * could not tell a dead owner from another process that got its number, nor settle who of two takes over.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';

export interface FolderLock {
  release(): void;
}

/** Makes the folder if need be; `conflict` when a process (this one included) has it. */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (reason) {
    lock.close();
    throw new CrucibleError(
      'conflict',
      `${folder}: ${holderOf(folder)} has this bus; a folder serves one process at a time. ` +
        'Use another folder, or NATS to share a bus between processes',
      { cause: reason, at: folder },
    );
  }
  writeFileAtomic(
    join(folder, 'holder.json'),
    JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() }),
  );
  return { release: () => lock.close() };
}

function holderOf(folder: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(join(folder, 'holder.json'), 'utf8')) as Record<
      string,
      string
    >;
    return `process ${pid} on ${host} (since ${since})`;
  } catch {
    return 'another process';
  }
}
