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

/** SQLite's code for a lock that somebody else holds. */
const sqliteBusy = 5;

export interface FolderLock {
  release(): void;
}

/** Makes the folder if need be; `conflict` when a process (this one included) has it. */
export function lockFolder(folder: string): FolderLock {
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
    writeFileAtomic(join(folder, 'holder.json'), JSON.stringify(holder));
    return { release: lock.close.bind(lock) };
  } catch (reason) {
    lock?.close();
    if ((reason as { errcode?: number }).errcode === sqliteBusy)
      throw new CrucibleError(
        'conflict',
        `${folder}: ${holderOf(folder)} has this bus; a folder serves one process at a time. ` +
          'Use another folder, or NATS to share a bus between processes',
        { cause: reason, at: folder },
      );
    const { code, message } = CrucibleError.from(reason);
    throw new CrucibleError(code, `${folder}: cannot be locked: ${message}`, { cause: reason, at: folder });
  }
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
