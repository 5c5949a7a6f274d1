/**
 * How far every durable subscription and every queue has come, in a journal of small records. Now and then one record
 * that says everything replaces all before it.
 *
 * What a queue has settled is durable when the promise resolves. What a subscription has settled survives the death
 * of the process; a power cut may take the last of it back, and those events come again.
 */
import { Journal } from './journal.ts';
import type { SegmentStore } from './segment.ts';

/** Events up to `scanned` have been looked at; of these, `open` are not settled, with the attempts made. */
export interface Progress {
  scanned: number;
  readonly open: Map<number, number>;
}

type BookRecord =
  | { readonly kind: 'new'; readonly cursor: string; readonly scanned: number }
  | { readonly kind: 'try'; readonly cursor: string; readonly sequence: number; readonly attempt: number }
  | { readonly kind: 'done'; readonly cursor: string; readonly sequence: number }
  | {
      readonly kind: 'all';
      readonly cursors: readonly {
        readonly cursor: string;
        readonly scanned: number;
        readonly open: readonly [sequence: number, attempts: number][];
      }[];
    };

export class CursorBook {
  readonly #journal: Journal;
  readonly #progress: Map<string, Progress>;
  /** The size at which the journal is replaced by its sum; Infinity while that goes on. */
  #compactAt: number;

  private constructor(journal: Journal, compactBytes: number, progress: Map<string, Progress>) {
    this.#journal = journal;
    this.#progress = progress;
    this.#compactAt = compactBytes;
  }

  /** The journal is replaced by its sum when it has reached `compactBytes`, and twice the last sum. */
  static async open(segments: SegmentStore, compactBytes: number): Promise<CursorBook> {
    const progress = new Map<string, Progress>();
    const journal = await Journal.open(segments, Infinity, (payload) =>
      apply(progress, JSON.parse(payload.toString()) as BookRecord),
    );
    return new CursorBook(journal, compactBytes, progress);
  }

  get failure(): Journal['failure'] {
    return this.#journal.failure;
  }

  /** The greatest sequence that any cursor has looked at. */
  get highest(): number {
    return Math.max(0, ...[...this.#progress.values()].map(({ scanned }) => scanned));
  }

  get(cursor: string): Readonly<Progress> | undefined {
    return this.#progress.get(cursor);
  }

  /** A new cursor; events up to `scanned` are not for it. It is there at once, and durable when the promise resolves. */
  add(cursor: string, scanned: number): Promise<void> {
    return this.#record({ kind: 'new', cursor, scanned }, true);
  }

  /** Call it before the event is handed out: an attempt counts even if it kills the process. */
  tried(cursor: string, sequence: number, attempt: number): Promise<void> {
    return this.#record({ kind: 'try', cursor, sequence, attempt }, false);
  }

  settled(cursor: string, sequence: number, durable: boolean): Promise<void> {
    return this.#record({ kind: 'done', cursor, sequence }, durable);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  async #record(record: BookRecord, durable: boolean): Promise<void> {
    apply(this.#progress, record);
    if (this.#journal.bytes < this.#compactAt) {
      await this.#journal.append(encode(record), durable);
      return;
    }
    const compactBytes = this.#compactAt;
    this.#compactAt = Infinity;
    try {
      await this.#journal.replaceAll(encode({ kind: 'all', cursors: [...this.#progress].map(sumOf) }));
    } finally {
      this.#compactAt = Math.max(compactBytes, 2 * this.#journal.bytes);
    }
  }
}

function encode(record: BookRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

function sumOf([cursor, { scanned, open }]: [string, Progress]): {
  cursor: string;
  scanned: number;
  open: [number, number][];
} {
  return { cursor, scanned, open: [...open] };
}

function apply(progress: Map<string, Progress>, record: BookRecord): void {
  switch (record.kind) {
    case 'new':
      progress.set(record.cursor, { scanned: record.scanned, open: new Map() });
      return;
    case 'try': {
      const cursor = progress.get(record.cursor)!;
      cursor.scanned = Math.max(cursor.scanned, record.sequence);
      cursor.open.set(record.sequence, record.attempt);
      return;
    }
    case 'done':
      progress.get(record.cursor)!.open.delete(record.sequence);
      return;
    case 'all':
      progress.clear();
      for (const { cursor, scanned, open } of record.cursors) progress.set(cursor, { scanned, open: new Map(open) });
      return;
    default:
      record satisfies never;
  }
}
