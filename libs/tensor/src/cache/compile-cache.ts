/**
 * Compiled programs on the disk, so that another process need not rewrite, lower and optimize what one did already. A
 * program is found by the hash of its graph and of all that decides what is made of it; what is stored is the model as
 * ONNX Runtime left it after its own optimization.
 *
 * A file is `sha256 of the rest (32 bytes), length of the header (4), header (JSON), model`. Files are written whole or not
 * at all, so processes share a folder; what does not fit its sum is removed and made again. A sum keeps out damage, not
 * people: a folder that others may write to is not used. No trouble with the folder ever fails a compilation.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers, writeFileWith, writeFully } from '@crucible/foundation';
import type { MemoryEstimate } from '../memory/estimate-memory.ts';

export interface CompileCacheOptions {
  /** Bytes that the folder holds at most; the programs that nobody has used for longest go. Default: 512 MiB. */
  readonly maxBytes?: number;
  /** Told, once, what keeps the folder from being used. Default: nobody is. */
  readonly onProblem?: (message: string) => void;
}

/** What a program needs beside its graph. */
export interface CachedProgram {
  readonly model: Uint8Array;
  /** Names of the results, in the program's order. */
  readonly outputs: readonly string[];
  /** Nodes of the ONNX graph as it was lowered. */
  readonly nodes: number;
  /** What it takes, by its graph. */
  readonly memory: MemoryEstimate;
  /** Places of the results that are written over an input directly. */
  readonly direct: readonly number[];
}

const ending = '.program';
const sumBytes = 32;
const lengthBytes = 4;
/** How long another process may take to write a file. */
const writingMs = 3_600_000;

export class CompileCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #onProblem: (message: string) => void;
  #isReady: boolean | undefined;

  constructor(folder: string, { maxBytes = 512 * 2 ** 20, onProblem = () => undefined }: CompileCacheOptions = {}) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#onProblem = onProblem;
  }

  /** The program under a key, if it is there and whole. */
  load(key: string): CachedProgram | undefined {
    if (!this.#open()) return undefined;
    const path = this.#path(key);
    const found = this.#attempt(() => {
      const bytes = readFileSync(path);
      const now = new Date();
      utimesSync(path, now, now);
      return bytes;
    });
    if (!found) return undefined;
    const program = parseEntry(found, key);
    if (!program) this.remove(key);
    return program;
  }

  /** Keeps a program, and lets others go where there are too many. */
  store(key: string, program: CachedProgram): void {
    if (!this.#open()) return;
    const parts = entryOf(key, program);
    if (parts.reduce((sum, { byteLength }) => sum + byteLength, 0) > this.#maxBytes) return;
    this.#attempt(() => {
      writeFileWith(this.#path(key), (descriptor) => parts.forEach((part) => writeFully(descriptor, part)));
      removeLeftovers(this.#folder, { untouchedFor: writingMs });
      this.#evict();
    });
  }

  remove(key: string): void {
    this.#attempt(() => rmSync(this.#path(key), { force: true }));
  }

  /** Gives `use` the name of a file that does not exist yet and is removed afterwards; undefined where there is no folder. */
  async withTemporaryFile<T>(use: (path: string | undefined) => Promise<T>): Promise<T> {
    if (!this.#open()) return use(undefined);
    const path = join(this.#folder, `.model.tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      return await use(path);
    } finally {
      this.#attempt(() => rmSync(path, { force: true }));
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}${ending}`);
  }

  #open(): boolean {
    this.#isReady ??=
      this.#attempt(() => {
        mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
        const { uid, mode } = statSync(this.#folder);
        const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
        if (!isOurs)
          this.#onProblem(`${this.#folder}: others may write to it, so compiled programs are not kept there`);
        return isOurs;
      }) ?? false;
    return this.#isReady;
  }

  /** Of several processes each may find files gone that another removed. */
  #evict(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(ending))
      .flatMap((name) => {
        const path = join(this.#folder, name);
        const status = statSync(path, { throwIfNoEntry: false });
        return status ? [{ path, size: status.size, used: status.mtimeMs }] : [];
      })
      .sort((a, b) => a.used - b.used);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files) {
      if (total <= this.#maxBytes) return;
      rmSync(path, { force: true });
      total -= size;
    }
  }

  #attempt<T>(use: () => T): T | undefined {
    try {
      return use();
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (this.#isReady !== false) this.#onProblem(`compiled programs are not kept: ${(reason as Error).message}`);
      this.#isReady = false;
      return undefined;
    }
  }
}

function entryOf(key: string, { model, outputs, nodes, memory, direct }: CachedProgram): Uint8Array[] {
  const header = Buffer.from(JSON.stringify({ key, outputs, nodes, memory, direct }));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(header.byteLength);
  return [sumOf([length, header, model]), length, header, model];
}

function parseEntry(bytes: Buffer, key: string): CachedProgram | undefined {
  const start = sumBytes + lengthBytes;
  if (bytes.byteLength < start) return undefined;
  if (!sumOf([bytes.subarray(sumBytes)]).equals(bytes.subarray(0, sumBytes))) return undefined;
  const end = start + bytes.readUInt32LE(sumBytes);
  const header = parseHeader(bytes.toString('utf8', start, end));
  if (header?.key !== key) return undefined;
  const { outputs, nodes, memory, direct } = header;
  return { model: bytes.subarray(end), outputs, nodes, memory, direct };
}

type Header = { readonly key: string } & Omit<CachedProgram, 'model'>;

function parseHeader(text: string): Header | undefined {
  try {
    const header = JSON.parse(text) as Partial<Record<keyof Header, unknown>> | null;
    return isHeader(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(value: Partial<Record<keyof Header, unknown>> | null): value is Header {
  if (typeof value?.key !== 'string' || typeof value.nodes !== 'number' || !Array.isArray(value.outputs)) return false;
  if (!Array.isArray(value.direct) || !value.direct.every(Number.isInteger)) return false;
  const memory = value.memory as Partial<MemoryEstimate> | null | undefined;
  const sizes = [memory?.inputs, memory?.constants, memory?.between, memory?.results, memory?.held];
  return value.outputs.every((name) => typeof name === 'string') && sizes.every((size) => typeof size === 'number');
}

function sumOf(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
