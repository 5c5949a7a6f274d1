/**
 * Files that are either whole or not there. Everything is written under a temporary name in the same folder,
 * flushed to the disk, and renamed: a reader, a crash or a full disk never meets half a file.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CrucibleError } from './error.ts';

const temporaryMark = '.tmp-';

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}${temporaryMark}${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** Opens a temporary file, lets `write` fill it, and puts it in the place of `path`; on any error nothing is left. */
export function writeFileWith(path: string, write: (descriptor: number) => void): void {
  const temporary = temporaryName(path);
  mkdirSync(dirname(path), { recursive: true });
  const descriptor = openSync(temporary, 'wx');
  try {
    try {
      write(descriptor);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (reason) {
    rmSync(temporary, { force: true });
    throw notWritten(path, reason);
  }
  flushFolder(dirname(path));
}

/** Replaces the file `path` by `content`, atomically; folders are made as needed. */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  writeFileWith(path, (descriptor) => writeFully(descriptor, bytes));
}

/** Writes all of `bytes`; a single write(2) may take less than it is given. */
export function writeFully(descriptor: number, bytes: Uint8Array): void {
  // Linux takes at most 2 GiB a call.
  const most = 1 << 30;
  for (let at = 0; at < bytes.byteLength;)
    at += writeSync(descriptor, bytes, at, Math.min(most, bytes.byteLength - at));
}

/**
 * Fills a folder under a temporary name and renames it to `path` when `fill` is done. `path` must not exist: a folder
 * of content is published once, under a name of its own (see the model registry).
 */
export async function publishFolder(path: string, fill: (folder: string) => void | Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  mkdirSync(temporary, { recursive: true });
  try {
    await fill(temporary);
    flushFolder(temporary);
    renameSync(temporary, path);
  } catch (reason) {
    rmSync(temporary, { recursive: true, force: true });
    throw notWritten(path, reason, temporary);
  }
  flushFolder(dirname(path));
}

/**
 * Removes what a killed process left behind in `folder`. `untouchedFor`: only what nothing has been written to for so many
 * milliseconds; default: all, for a folder in which no other process writes.
 *
 * Age is what tells the dead from the living, since process ids mean nothing to another machine or container with the same
 * disk. One that is taken for dead and lives all the same loses what it wrote, and its publishing fails: what is removed gets
 * another name first, so that it cannot be half of it that is published.
 */
export function removeLeftovers(folder: string, { untouchedFor = 0 }: { readonly untouchedFor?: number } = {}): void {
  for (const entry of readdirSync(folder)) {
    if (!entry.startsWith('.') || !entry.includes(temporaryMark)) continue;
    const path = join(folder, entry);
    if (untouchedFor > 0 && Date.now() - lastWritten(path) < untouchedFor) continue;
    const doomed = temporaryName(join(folder, 'removed'));
    try {
      renameSync(path, doomed);
    } catch (reason) {
      // It was published, or removed by another process.
      if ((reason as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw reason;
    }
    rmSync(doomed, { recursive: true, force: true });
  }
}

/** When something was last written to a file, or to a folder and what is in it, in milliseconds; 0 for what is gone. */
function lastWritten(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) return 0;
  const inside = status.isDirectory() ? readdirSync(path).map((entry) => lastWritten(join(path, entry))) : [];
  return Math.max(status.mtimeMs, ...inside);
}

/** Errors of what is written within `temporary` name the place it was meant for. */
function notWritten(path: string, reason: unknown, temporary = path): CrucibleError {
  if (reason instanceof CrucibleError) {
    if (!reason.message.includes(temporary)) return reason;
    return new CrucibleError(reason.code, reason.message.replaceAll(temporary, path), { cause: reason, at: path });
  }
  const { code, message } = CrucibleError.from(reason);
  const full = (reason as NodeJS.ErrnoException).code === 'ENOSPC';
  return new CrucibleError(code, full ? `${path}: the disk is full; nothing was written` : `${path}: ${message}`, {
    cause: reason,
    at: path,
  });
}

/** A rename is durable only when the folder that holds the name has been flushed too. */
function flushFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
