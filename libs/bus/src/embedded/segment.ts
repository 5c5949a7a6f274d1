/** Where a journal keeps its bytes: numbered segments that grow at the end, in a folder or in memory. */
import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  rmSync,
  write,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CrucibleError, removeLeftovers, writeFileAtomic } from '@crucible/foundation';

export interface Segment {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  read(offset: number, length: number): Buffer;
  /** Puts bytes behind the last ones; on an error nothing of them stays. */
  append(bytes: Buffer): Promise<void>;
  /** Resolves when the disk has confirmed all that was appended. */
  sync(): Promise<void>;
  truncate(size: number): void;
  close(): void;
}

export interface SegmentStore {
  /** The numbers of the segments that are there, ascending. */
  list(): number[];
  open(number: number): Segment;
  /** Makes an empty segment whose name survives a crash. */
  create(number: number): Segment;
  remove(number: number): void;
}

const writeBytes = promisify(write);
const dataSync = promisify(fdatasync);

class FileSegment implements Segment {
  readonly name: string;
  readonly #descriptor: number;
  #size: number;

  constructor(path: string) {
    this.name = path;
    this.#descriptor = openSync(path, 'r+');
    this.#size = fstatSync(this.#descriptor).size;
  }

  get size(): number {
    return this.#size;
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.#descriptor, bytes, filled, length - filled, offset + filled);
      if (count === 0)
        throw new CrucibleError('data-loss', `${this.name}: ends before byte ${offset + length}`, { at: this.name });
      filled += count;
    }
    return bytes;
  }

  async append(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.byteLength;) {
        const { bytesWritten } = await writeBytes(this.#descriptor, bytes, at, bytes.byteLength - at, this.#size + at);
        at += bytesWritten;
      }
    } catch (reason) {
      ftruncateSync(this.#descriptor, this.#size);
      const { code, message } = CrucibleError.from(reason);
      throw new CrucibleError(code, `${this.name}: nothing was stored: ${message}`, { cause: reason, at: this.name });
    }
    this.#size += bytes.byteLength;
  }

  async sync(): Promise<void> {
    await dataSync(this.#descriptor);
  }

  truncate(size: number): void {
    ftruncateSync(this.#descriptor, size);
    this.#size = size;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Segments as the files `PREFIX-0000000001.log`, … of a folder. */
export function folderSegments(folder: string, prefix: string): SegmentStore {
  mkdirSync(folder, { recursive: true });
  removeLeftovers(folder);
  const pattern = new RegExp(`^${prefix}-(\\d{10})\\.log$`);
  const pathOf = (number: number): string => join(folder, `${prefix}-${String(number).padStart(10, '0')}.log`);
  return {
    list: () =>
      readdirSync(folder)
        .flatMap((file) => pattern.exec(file)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b),
    open: (number) => new FileSegment(pathOf(number)),
    create: (number) => {
      writeFileAtomic(pathOf(number), '');
      return new FileSegment(pathOf(number));
    },
    remove: (number) => rmSync(pathOf(number)),
  };
}

class MemorySegment implements Segment {
  readonly name: string;
  #bytes = Buffer.alloc(1024);
  size = 0;

  constructor(name: string) {
    this.name = name;
  }

  read(offset: number, length: number): Buffer {
    return Buffer.from(this.#bytes.subarray(offset, offset + length));
  }

  append(bytes: Buffer): Promise<void> {
    const needed = this.size + bytes.byteLength;
    if (needed > this.#bytes.byteLength) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.byteLength * 2));
      this.#bytes.copy(larger, 0, 0, this.size);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.size);
    this.size = needed;
    return Promise.resolve();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  truncate(size: number): void {
    this.size = size;
  }

  close(): void {
    // The bytes are let go with the object.
  }
}

/** Segments that are gone with the process. */
export function memorySegments(): SegmentStore {
  return {
    list: () => [],
    open: (number) => {
      throw new Error(`internal: there is no segment ${number} in memory`);
    },
    create: (number) => new MemorySegment(`memory segment ${number}`),
    remove: () => undefined,
  };
}
