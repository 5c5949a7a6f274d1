import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { BusHealth, BusStatus, DeadLetter, Receipt } from '../bus.ts';
import { queueNames, queues } from '../catalogue.ts';
import type { EventType, QueueName } from '../catalogue.ts';
import type { BusEvent } from '../event.ts';
import type { Cursor, CursorRequest, Notify, Transport } from '../transport.ts';
import { CursorBook } from './cursor-book.ts';
import type { Progress } from './cursor-book.ts';
import { DeadLetterStore } from './dead-letter-store.ts';
import { Dispatcher } from './dispatcher.ts';
import { EventStore } from './event-store.ts';
import { lockFolder } from './folder-lock.ts';
import type { FolderLock } from './folder-lock.ts';
import type { ResolvedEmbeddedBusOptions } from './options.ts';
import { folderSegments, memorySegments } from './segment.ts';
import type { SegmentStore } from './segment.ts';

/** How often age alone is looked at; what is too much is removed as soon as a segment ends. */
const trimInterval = 600_000;
const deadLetterRetention = { maxBytes: 64 << 20, maxAge: 30 * 86_400_000 };
const cursorBookBytes = 1 << 20;

export class EmbeddedTransport implements Transport {
  readonly #where: string;
  readonly #lock: FolderLock | undefined;
  readonly #events: EventStore;
  readonly #book: CursorBook;
  readonly #letters: DeadLetterStore;
  readonly #notify: Notify;
  /** By kind and name; those without a durable name are removed when they close. */
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #trimTimer: NodeJS.Timeout;
  #ephemeral = 0;
  #trimmedAt = 0;
  #status: BusStatus = 'connected';

  private constructor(
    where: string,
    lock: FolderLock | undefined,
    events: EventStore,
    book: CursorBook,
    letters: DeadLetterStore,
    notify: Notify,
  ) {
    this.#where = where;
    this.#lock = lock;
    this.#events = events;
    this.#book = book;
    this.#letters = letters;
    this.#notify = notify;
    this.#trimTimer = setInterval(() => this.#trim(), trimInterval).unref();
  }

  static async open(options: ResolvedEmbeddedBusOptions, notify: Notify): Promise<EmbeddedTransport> {
    const { folder, segmentBytes } = options;
    const lock = folder === undefined ? undefined : lockFolder(folder);
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(store: T): T => {
      opened.push(store);
      return store;
    };
    const segments = (prefix: string): SegmentStore =>
      folder === undefined ? memorySegments() : folderSegments(folder, prefix);
    try {
      const book = keep(await CursorBook.open(segments('cursors'), cursorBookBytes));
      const events = keep(await EventStore.open(segments('events'), segmentBytes, options, book.highest));
      const letters = keep(await DeadLetterStore.open(segments('dead-letters'), segmentBytes, deadLetterRetention));
      const where = folder === undefined ? 'embedded bus in memory' : `embedded bus in ${folder}`;
      const transport = new EmbeddedTransport(where, lock, events, book, letters, notify);
      // Queues stand from the start: work that comes before the first worker is kept.
      for (const queue of queueNames) await transport.#durable(`queue/${queue}`, [queues[queue]], 0, Infinity);
      transport.#trim();
      return transport;
    } catch (reason) {
      for (const store of opened) await store.close();
      lock?.release();
      throw CrucibleError.from(reason);
    }
  }

  get status(): BusStatus {
    return this.#status;
  }

  async store(event: BusEvent, data: Uint8Array, _queue: QueueName | undefined, deadline: number): Promise<Receipt> {
    const what = `${this.#where}: storing ${event.type} ${event.id}`;
    const receipt = await withDeadline(this.#events.append(event, data), deadline, what);
    for (const dispatcher of this.#dispatchers.values()) dispatcher.wake();
    if (this.#events.segments > this.#trimmedAt) this.#trim();
    return receipt;
  }

  async openCursor(request: CursorRequest): Promise<Cursor> {
    if (request.kind === 'queue') {
      const { queue, ackWait } = request;
      return cursorOver(this.#dispatchers.get(`queue/${queue}`)!, queue, ackWait);
    }
    const { durable, types, from, ackWait } = request;
    const last = this.#events.lastSequence;
    const scanned = from === 'all' ? 0 : from === 'new' ? last : from - 1;
    if (durable !== undefined) {
      const dispatcher = await this.#durable(`subscription/${durable}`, types, scanned, 1);
      return cursorOver(dispatcher, durable, ackWait);
    }
    const name = `ephemeral-${++this.#ephemeral}`;
    const dispatcher = this.#passing(types, scanned);
    this.#dispatchers.set(`subscription/${name}`, dispatcher);
    return cursorOver(dispatcher, name, ackWait, () => {
      dispatcher.close();
      this.#dispatchers.delete(`subscription/${name}`);
    });
  }

  async bury(letter: DeadLetter): Promise<void> {
    await this.#letters.add(letter);
  }

  deadLetters(limit: number): Promise<DeadLetter[]> {
    return Promise.resolve(this.#letters.list(limit));
  }

  health(): Promise<BusHealth> {
    const failure = this.#events.failure ?? this.#book.failure ?? this.#letters.failure;
    const ready = this.#status === 'connected' && failure === undefined;
    const mebibytes = (this.#events.bytes / 2 ** 20).toFixed(1);
    const detail = failure?.message ?? `${this.#events.lastSequence} events so far, ${mebibytes} MiB of them kept`;
    return Promise.resolve({ ready, status: this.#status, detail: `${this.#where}: ${detail}` });
  }

  async close(): Promise<void> {
    clearInterval(this.#trimTimer);
    for (const dispatcher of this.#dispatchers.values()) dispatcher.close();
    try {
      for (const store of [this.#events, this.#book, this.#letters]) await store.close();
    } finally {
      this.#lock?.release();
      this.#status = 'closed';
      this.#notify({ kind: 'status', status: 'closed' });
    }
  }

  async #durable(key: string, types: readonly EventType[], scanned: number, maxOpen: number): Promise<Dispatcher> {
    const known = this.#dispatchers.get(key);
    if (known !== undefined) {
      known.types = new Set(types);
      return known;
    }
    const added = this.#book.get(key) === undefined ? this.#book.add(key, scanned) : undefined;
    const progress = this.#book.get(key)!;
    const isQueue = maxOpen > 1;
    const dispatcher = new Dispatcher(new Set(types), {
      events: this.#events,
      progress,
      tried: (sequence, attempt) => this.#book.tried(key, sequence, attempt),
      settled: (sequence) => this.#book.settled(key, sequence, isQueue),
      maxOpen,
    });
    this.#dispatchers.set(key, dispatcher);
    await added;
    return dispatcher;
  }

  /** A place that nobody writes down. */
  #passing(types: readonly EventType[], scanned: number): Dispatcher {
    const progress: Progress = { scanned, open: new Map() };
    return new Dispatcher(new Set(types), {
      events: this.#events,
      progress,
      tried: (sequence, attempt) => {
        progress.scanned = Math.max(progress.scanned, sequence);
        progress.open.set(sequence, attempt);
        return Promise.resolve();
      },
      settled: (sequence) => {
        progress.open.delete(sequence);
        return Promise.resolve();
      },
      maxOpen: 1,
    });
  }

  /** Work that is not done is kept whatever its age. */
  #trim(): void {
    try {
      const work = queueNames.map((queue) => this.#dispatchers.get(`queue/${queue}`)!);
      this.#events.trim(({ sequence, type }) => work.some((queue) => queue.needs(sequence, type)));
      this.#trimmedAt = this.#events.segments;
    } catch (reason) {
      this.#notify({ kind: 'trouble', error: CrucibleError.from(reason) });
    }
  }
}

function cursorOver(
  dispatcher: Dispatcher,
  name: string,
  ackWait: number,
  close: () => void = () => undefined,
): Cursor {
  return {
    name,
    next: (signal) => dispatcher.next(ackWait, signal),
    close: () => {
      close();
      return Promise.resolve();
    },
  };
}
