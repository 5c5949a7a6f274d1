/**
 * The private channel between a supervisor and an interpreter. Down go the program, then the nonce; up come frames of
 * nonce, kind, length and content. Whoever does not know the nonce cannot speak on it, and all lengths are bounded, since
 * the other end may have been taken over.
 */
import type { Answer } from './boundary.ts';
import { assertFilePath, type Limits, type ProgramFile, type ResolvedProgram } from './program.ts';

export const nonceBytes = 16;
const headerBytes = nonceBytes + 1 + 4;

export interface Frame {
  /** `R`: ready, `O` and `E`: output, `F`: a file, `D`: done. */
  readonly kind: string;
  readonly content: Buffer;
}

/** The program as an interpreter reads it. */
export function startMessage({ files, stdin, limits, ...program }: ResolvedProgram): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      ...program,
      expression: program.expression ?? null,
      limits,
      files: files.map(({ path, content }) => ({ path, size: content.length })),
      stdinBytes: stdin.length,
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, ...files.map(({ content }) => content)]);
}

/** Takes frames apart as their bytes come. The first one, which says that the interpreter is ready, has no nonce yet. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #nonce: Buffer = Buffer.alloc(nonceBytes);
  #mostBytes = 64;
  #parts: Buffer[] = [];
  #size = 0;
  #wanted = headerBytes;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** From now on frames must bear the nonce and may be as large as the limits make them. */
  expect(nonce: Buffer, mostBytes: number): void {
    this.#nonce = nonce;
    this.#mostBytes = mostBytes;
  }

  /** Returns what is wrong; then nothing more may be read. */
  read(bytes: Buffer): string | undefined {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#wanted) return undefined;
    let rest = Buffer.concat(this.#parts);
    for (;;) {
      if (rest.length < headerBytes) {
        this.#keep(rest, headerBytes);
        return undefined;
      }
      if (!rest.subarray(0, nonceBytes).equals(this.#nonce)) return 'it spoke without the nonce';
      const length = rest.readUInt32BE(nonceBytes + 1);
      if (length > this.#mostBytes) return `it announced ${length} bytes; at most ${this.#mostBytes} are allowed`;
      if (rest.length < headerBytes + length) {
        this.#keep(rest, headerBytes + length);
        return undefined;
      }
      const kind = String.fromCharCode(rest[nonceBytes]!);
      this.#onFrame({ kind, content: rest.subarray(headerBytes, headerBytes + length) });
      rest = rest.subarray(headerBytes + length);
    }
  }

  #keep(rest: Buffer, wanted: number): void {
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    this.#wanted = wanted;
  }
}

/** Gathers the files and the end of a run, which an honest interpreter keeps within the limits. */
export class AnswerReader {
  readonly #limits: Limits;
  readonly files: ProgramFile[] = [];
  #bytes = 0;
  answer: Answer | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Returns what is wrong. */
  read({ kind, content }: Frame): string | undefined {
    if (this.answer !== undefined) return 'it spoke after its end';
    if (kind === 'F') return this.#readFile(content);
    if (kind !== 'D') return `it sent a frame of the kind ${JSON.stringify(kind)}`;
    this.answer = parseAnswer(content);
    return this.answer === undefined ? 'its last word cannot be read' : undefined;
  }

  #readFile(content: Buffer): string | undefined {
    if (content.length < 2) return 'it sent half of a file';
    const pathBytes = content.readUInt16BE(0);
    const path = content.subarray(2, 2 + pathBytes).toString();
    const file = content.subarray(2 + pathBytes);
    this.#bytes += file.length;
    if (this.files.length === this.#limits.files || this.#bytes > this.#limits.diskBytes)
      return 'it sent more files than the limits allow';
    // Names that a careless reader could be led astray by stay inside.
    if (isSafePath(path)) this.files.push({ path, content: Uint8Array.from(file) });
    return undefined;
  }
}

function isSafePath(path: string): boolean {
  try {
    assertFilePath(path, 'path');
    return true;
  } catch {
    return false;
  }
}

function parseAnswer(content: Buffer): Answer | undefined {
  try {
    const { exitCode, signal, report, exceeded } = JSON.parse(content.toString()) as Record<keyof Answer, unknown>;
    return {
      exitCode: typeof exitCode === 'number' ? exitCode : null,
      signal: typeof signal === 'number' ? signal : null,
      report: typeof report === 'string' ? report : '',
      exceeded: exceeded === 'files' || exceeded === 'bytes' ? exceeded : null,
    };
  } catch {
    return undefined;
  }
}
