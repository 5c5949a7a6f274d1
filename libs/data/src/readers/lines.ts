/** The lines of a .jsonl or .jsonl.gz file, one after the other, in constant memory. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { CrucibleError, invalidInput } from '@crucible/foundation';

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Without the end of the line; undefined for a line that is longer than allowed. */
  readonly bytes: Uint8Array | undefined;
}

/** `maxLineBytes`: a longer line comes without its bytes. */
export async function* readLines(path: string, maxLineBytes: number): AsyncGenerator<Line> {
  const { stream, close } = open(path);
  const line = new LineBuffer(maxLineBytes);
  let number = 1;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        line.add(chunk.subarray(start, end));
        yield { number: number++, bytes: line.take() };
        start = end + 1;
      }
      line.add(chunk.subarray(start));
    }
    if (!line.isEmpty) yield { number, bytes: line.take() };
  } catch (reason) {
    throw unreadable(path, reason);
  } finally {
    close();
  }
}

const newline = 0x0a;

/** Collects the parts of a line, but no more than are allowed. */
class LineBuffer {
  readonly #most: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length <= this.#most) this.#parts.push(part);
    else this.#parts = [];
  }

  take(): Uint8Array | undefined {
    const bytes = this.#length <= this.#most ? Buffer.concat(this.#parts) : undefined;
    this.#parts = [];
    this.#length = 0;
    return bytes;
  }
}

/** Throws for a file of another kind, by its name. */
export function assertLinesFile(path: string): void {
  if (/\.jsonl(?:\.gz)?$/i.test(path)) return;
  throw invalidInput(`${path}: is neither a .jsonl nor a .jsonl.gz file`, { at: path });
}

function open(path: string): { stream: Readable; close: () => void } {
  const file = createReadStream(path);
  if (!/\.gz$/i.test(path)) return { stream: file, close: () => void file.destroy() };
  const gunzip = createGunzip();
  // A pipe does not hand errors on.
  file.on('error', (reason) => void gunzip.destroy(reason));
  file.pipe(gunzip);
  return {
    stream: gunzip,
    close: () => {
      file.destroy();
      gunzip.destroy();
    },
  };
}

function unreadable(path: string, reason: unknown): unknown {
  const code = (reason as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT')
    return new CrucibleError('not-found', `${path}: there is no such file`, { cause: reason, at: path });
  if (code?.startsWith('Z_') === true) {
    return invalidInput(`${path}: is damaged or cut off: ${(reason as Error).message}`, { cause: reason, at: path });
  }
  return reason;
}
