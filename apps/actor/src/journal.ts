/**
 * What happened in a run, on the disk: a file of lines, each a checksum and an entry as JSON, appended to. The first line
 * is written with the file, whole or not at all. A line that a crash or a full disk cut short is the last one, and is cut
 * off; damage anywhere else is an error. An entry that others rely on is confirmed by the disk before `append` returns.
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { RunSpec } from '@crucible/actor';
import { CrucibleError, type ErrorCode, writeFileAtomic, writeFully } from '@crucible/foundation';
import type { ChatEvent, CodeResult, Passage, Step, TextDocument, ToolResult } from '@crucible/prompting';

/** What a call came to. */
export type Outcome<T> =
  { readonly value: T } | { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** What a person is asked for. */
export interface Asked {
  readonly callId: string;
  readonly tool: string;
  readonly description: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface Decided {
  readonly callId: string;
  readonly approved: boolean;
  /** Of a person's no. */
  readonly reason: string;
  /** Nobody has answered. */
  readonly expired: boolean;
}

/** The first entry of a run. */
export interface Start {
  readonly kind: 'start';
  readonly runId: string;
  readonly spec: RunSpec;
  /** As it answers, and as the spec may leave open. */
  readonly model: string;
  readonly modelVersion: number;
}

/** Keys are digests of what was asked, with a count where the same is asked again. */
export type Entry =
  | Start
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'answer'; readonly key: string; readonly events: readonly ChatEvent[] }
  | { readonly kind: 'search'; readonly key: string; readonly outcome: Outcome<readonly Passage[]> }
  | { readonly kind: 'document'; readonly key: string; readonly outcome: Outcome<TextDocument | null> }
  | { readonly kind: 'program'; readonly key: string; readonly outcome: Outcome<CodeResult> }
  | { readonly kind: 'tool'; readonly key: string; readonly outcome: Outcome<ToolResult> }
  | ({ readonly kind: 'asked' } & Asked)
  | ({ readonly kind: 'decided' } & Decided)
  /** The steps up to this one have become events. */
  | { readonly kind: 'published'; readonly step: number }
  /** A tool that was allowed is about to run. */
  | { readonly kind: 'began'; readonly callId: string };

/** `at`: when it was written, in milliseconds since the epoch. */
export type Dated = Entry & { readonly at: number };

export class Journal implements Disposable {
  readonly path: string;
  readonly #descriptor: number;
  #bytes: number;

  private constructor(path: string, bytes: number) {
    this.path = path;
    this.#bytes = bytes;
    this.#descriptor = openSync(path, 'a');
    if (fstatSync(this.#descriptor).size > bytes) ftruncateSync(this.#descriptor, bytes);
  }

  static create(path: string, start: Start): { readonly journal: Journal; readonly start: Dated } {
    const dated = { at: Date.now(), ...start };
    const line = lineOf(dated);
    writeFileAtomic(path, line);
    return { journal: new Journal(path, line.length), start: dated };
  }

  /** To go on with it. */
  static open(path: string): { readonly journal: Journal; readonly entries: readonly Dated[] } {
    const { entries, bytes } = readJournal(path);
    return { journal: new Journal(path, bytes), entries };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `lasting`: it is on the disk when this returns, whatever becomes of the machine; otherwise of the process alone. */
  append(entry: Entry, { lasting = false }: { readonly lasting?: boolean } = {}): Dated {
    const dated = { at: Date.now(), ...entry };
    const line = lineOf(dated);
    try {
      writeFully(this.#descriptor, line);
      if (lasting) fdatasyncSync(this.#descriptor);
    } catch (reason) {
      // Half a line would be damage, once there is another behind it.
      ftruncateSync(this.#descriptor, this.#bytes);
      const { code, message } = CrucibleError.from(reason);
      throw new CrucibleError(code, `${this.path}: ${message}`, { cause: reason });
    }
    this.#bytes += line.length;
    return dated;
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

export function readJournal(path: string): { readonly entries: readonly Dated[]; readonly bytes: number } {
  const content = readFileSync(path);
  const entries: Dated[] = [];
  let bytes = 0;
  while (bytes < content.length) {
    const end = content.indexOf(0x0a, bytes);
    const entry = end < 0 ? undefined : entryOf(content.subarray(bytes, end));
    if (entry === undefined) {
      // Of what was cut short, nothing whole can follow.
      if (end >= 0 && end + 1 < content.length) throw damaged(path, bytes);
      break;
    }
    entries.push(entry);
    bytes = end + 1;
  }
  if (entries[0]?.kind !== 'start') throw damaged(path, 0);
  return { entries, bytes };
}

export function journalBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function lineOf(entry: Dated): Buffer {
  const json = JSON.stringify(entry);
  return Buffer.from(`${checksum(json)} ${json}\n`);
}

function entryOf(line: Buffer): Dated | undefined {
  const json = line.subarray(9);
  return line[8] === 0x20 && line.toString('latin1', 0, 8) === checksum(json)
    ? (JSON.parse(json.toString()) as Dated)
    : undefined;
}

function checksum(content: string | Buffer): string {
  return crc32(content).toString(16).padStart(8, '0');
}

function damaged(path: string, at: number): CrucibleError {
  return new CrucibleError('data-loss', `${path}: damaged at byte ${at}`, { at: path });
}
