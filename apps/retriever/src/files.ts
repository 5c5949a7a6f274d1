/** The files under a folder that can be read, by name. There may be millions: they are walked, not listed. */
import { type Dir, lstatSync, statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { formatOf } from '@crucible/retrieval';
import type { FileToRead } from './worker-protocol.ts';

/** Files of a batch, and their bytes together unless one file alone has more. */
const mostFiles = 1000;
const mostBytes = 8 * 1024 * 1024;

/** Throws `not-found` or `invalid-input`. */
export function resolvePath(given: string): string {
  if (given === '') throw invalidInput('path: it is empty', { at: 'path' });
  const path = resolve(given.startsWith('file:') ? fileURLToPath(given) : given);
  if (!statSync(path, { throwIfNoEntry: false })) {
    throw new CrucibleError('not-found', `path: ${path} does not exist`, { at: 'path' });
  }
  return path;
}

/** A file, or what is under a folder. Hidden files are left out, links are not followed. */
export class FileTree {
  readonly #path: string;
  readonly #isFile: boolean;
  /** Folders that the last walk could not read, and why. */
  readonly unreadable: { readonly name: string; readonly message: string }[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#isFile = statSync(path).isFile();
  }

  /** What the names of all files begin with. */
  get prefix(): string {
    return this.#isFile ? basename(this.#path) : `${basename(this.#path)}/`;
  }

  /** How many files can be read, and how many are of other formats. */
  async count(signal: AbortSignal): Promise<{ readonly files: number; readonly skipped: number }> {
    let [files, skipped] = [0, 0];
    for await (const { isReadable } of this.#walk(signal)) {
      if (isReadable) files++;
      else skipped++;
    }
    return { files, skipped };
  }

  /** Files that are read together. */
  async *batches(signal: AbortSignal): AsyncGenerator<FileToRead[], void, undefined> {
    let batch: FileToRead[] = [];
    let bytes = 0;
    for await (const { isReadable, ...file } of this.#walk(signal)) {
      if (!isReadable) continue;
      // One that has gone meanwhile is told by the reader.
      const size = lstatSync(file.path, { throwIfNoEntry: false })?.size ?? 0;
      if (batch.length > 0 && (batch.length >= mostFiles || bytes + size > mostBytes)) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(file);
      bytes += size;
    }
    if (batch.length > 0) yield batch;
  }

  /** Whether the file of a name is there still. */
  has(name: string): boolean {
    return lstatSync(join(dirname(this.#path), name), { throwIfNoEntry: false })?.isFile() ?? false;
  }

  async *#walk(signal: AbortSignal): AsyncGenerator<FileToRead & { readonly isReadable: boolean }, void, undefined> {
    const root = { path: this.#path, name: basename(this.#path) };
    if (this.#isFile) {
      yield { ...root, isReadable: true };
      return;
    }
    this.unreadable.length = 0;
    const folders = [root];
    for (let folder = folders.pop(); folder; folder = folders.pop()) {
      const entries = await this.#open(folder);
      if (!entries) continue;
      for await (const entry of entries) {
        signal.throwIfAborted();
        if (entry.name.startsWith('.')) continue;
        const own = { path: join(folder.path, entry.name), name: `${folder.name}/${entry.name}` };
        if (entry.isDirectory()) folders.push(own);
        else yield { ...own, isReadable: entry.isFile() && formatOf(entry.name) !== undefined };
      }
    }
  }

  async #open({ path, name }: FileToRead): Promise<Dir | undefined> {
    try {
      return await opendir(path, { bufferSize: 256 });
    } catch (reason) {
      this.unreadable.push({ name, message: `${name}: the folder cannot be read: ${(reason as Error).message}` });
      return undefined;
    }
  }
}
