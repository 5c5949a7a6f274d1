/**
 * Hands the events of one place, a durable subscription, a queue or a subscription for the time being, to whoever
 * asks, and takes them back when they are not settled in time. All cursors of one name in the process share one.
 */
import { CrucibleError } from '@crucible/foundation';
import type { EventType } from '../catalogue.ts';
import type { Parcel } from '../transport.ts';
import type { Progress } from './cursor-book.ts';
import type { EventStore } from './event-store.ts';

export interface DispatcherOptions {
  readonly events: EventStore;
  /** Is kept up to date by `tried` and `settled`. */
  readonly progress: Readonly<Progress>;
  readonly tried: (sequence: number, attempt: number) => Promise<void>;
  readonly settled: (sequence: number) => Promise<void>;
  /** How many events may be unsettled before the next new one is handed out. */
  readonly maxOpen: number;
}

interface Waiter {
  readonly ackWait: number;
  readonly signal: AbortSignal;
  readonly giveUp: () => void;
  readonly resolve: (parcel: Parcel | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  #types: ReadonlySet<EventType>;
  readonly #waiters = new Set<Waiter>();
  /** Events that are handed out or pause, with the timer after which they are to be handed out again. */
  readonly #timers = new Map<number, NodeJS.Timeout>();
  /** Up to here there is nothing new for it; spares searching again. */
  #searched = 0;
  #closed = false;

  constructor(types: ReadonlySet<EventType>, options: DispatcherOptions) {
    this.#types = types;
    this.#options = options;
  }

  set types(types: ReadonlySet<EventType>) {
    this.#types = types;
    this.#searched = 0;
  }

  /** Whether the event waits to be handed out or settled here. */
  needs(sequence: number, type: EventType): boolean {
    const { scanned, open } = this.#options.progress;
    return open.has(sequence) || (sequence > scanned && this.#types.has(type));
  }

  /** The next event; undefined when the signal is aborted. */
  next(ackWait: number, signal: AbortSignal): Promise<Parcel | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiters.delete(waiter);
        resolve(undefined);
      };
      const waiter: Waiter = { ackWait, signal, giveUp, resolve, reject };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiters.add(waiter);
      this.wake();
    });
  }

  /** Call it when there may be something new. */
  wake(): void {
    for (const waiter of this.#waiters) {
      const sequence = this.#closed ? undefined : this.#nextSequence();
      if (sequence === undefined) return;
      this.#waiters.delete(waiter);
      // From here on it gets the event; what to do with it when the signal is aborted is for the caller to decide.
      waiter.signal.removeEventListener('abort', waiter.giveUp);
      void this.#handOut(sequence, waiter);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #nextSequence(): number | undefined {
    const { progress, events, maxOpen } = this.#options;
    let again: number | undefined;
    for (const sequence of progress.open.keys())
      if (!this.#timers.has(sequence) && (again === undefined || sequence < again)) again = sequence;
    if (again !== undefined) return again;
    if (progress.open.size >= maxOpen) return undefined;
    const found = events.find(this.#types, Math.max(progress.scanned, this.#searched) + 1);
    if (found === undefined) this.#searched = events.lastSequence;
    return found?.sequence;
  }

  async #handOut(sequence: number, waiter: Waiter): Promise<void> {
    const { progress, events, tried, settled } = this.#options;
    const attempt = (progress.open.get(sequence) ?? 0) + 1;
    this.#startTimer(sequence, waiter.ackWait);
    try {
      await tried(sequence, attempt);
      const content = readOrSayWhy(events, sequence);
      if (content === undefined) {
        // Retention has removed it in the meantime.
        this.#stopTimer(sequence);
        await settled(sequence);
        this.next(waiter.ackWait, waiter.signal).then(waiter.resolve, waiter.reject);
        return;
      }
      waiter.resolve(this.#parcel(content, sequence, attempt, waiter.ackWait));
    } catch (reason) {
      waiter.reject(reason);
    }
  }

  #parcel(content: Parcel['content'], sequence: number, attempt: number, ackWait: number): Parcel {
    const { progress, settled } = this.#options;
    /** Whether it has not been settled, and not been handed out again. */
    const isHeld = (): boolean => progress.open.get(sequence) === attempt;
    return {
      content,
      sequence,
      attempt,
      settle: async () => {
        if (!progress.open.has(sequence)) return;
        this.#stopTimer(sequence);
        const written = settled(sequence);
        this.wake();
        await written;
      },
      giveBack: (delay) => {
        if (isHeld()) this.#startTimer(sequence, delay);
        return Promise.resolve();
      },
      extend: () => {
        if (isHeld() && this.#timers.has(sequence)) this.#startTimer(sequence, ackWait);
      },
    };
  }

  #startTimer(sequence: number, delay: number): void {
    clearTimeout(this.#timers.get(sequence));
    const again = (): void => {
      this.#timers.delete(sequence);
      this.wake();
    };
    this.#timers.set(sequence, setTimeout(again, delay).unref());
  }

  #stopTimer(sequence: number): void {
    clearTimeout(this.#timers.get(sequence));
    this.#timers.delete(sequence);
  }
}

/** A record that has gone bad since the log was opened must not hold up those behind it. */
function readOrSayWhy(events: EventStore, sequence: number): Parcel['content'] | undefined {
  try {
    return events.read(sequence);
  } catch (reason) {
    return { problem: CrucibleError.from(reason).message, raw: '' };
  }
}
