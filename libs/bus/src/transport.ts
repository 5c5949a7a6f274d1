/**
 * What NATS and the embedded log have to offer. Everything that both must do alike (validation, retries, dead
 * letters, draining) stands above this line, in EventBus and DeliveryLoop.
 */
import type { BusHealth, BusNotice, BusStatus, DeadLetter, Receipt } from './bus.ts';
import type { EventType, QueueName } from './catalogue.ts';
import type { BusEvent } from './event.ts';

/** How long an event id is known, in ms: publishing it again in this time stores nothing. */
export const duplicateWindow = 120_000;

export interface Transport {
  readonly status: BusStatus;
  /**
   * Resolves when the event is stored durably, as a fact and as work of `queue`. Tries for `deadline` ms, then rejects
   * with `deadline-exceeded`.
   */
  store(event: BusEvent, data: Uint8Array, queue: QueueName | undefined, deadline: number): Promise<Receipt>;
  openCursor(request: CursorRequest): Promise<Cursor>;
  /** Resolves when the letter is stored durably. Burying a letter twice is harmless. */
  bury(letter: DeadLetter): Promise<void>;
  /** The newest first. */
  deadLetters(limit: number): Promise<DeadLetter[]>;
  health(): Promise<BusHealth>;
  /** Called when all cursors are closed. */
  close(): Promise<void>;
}

/** How a transport tells of itself. */
export type Notify = (notice: Extract<BusNotice, { kind: 'status' | 'trouble' }>) => void;

export type CursorRequest =
  | { readonly kind: 'queue'; readonly queue: QueueName; readonly ackWait: number }
  | {
      readonly kind: 'subscription';
      /** Undefined: the place is forgotten with the cursor. */
      readonly durable: string | undefined;
      readonly types: readonly EventType[];
      readonly from: 'new' | 'all' | number;
      readonly ackWait: number;
    };

/**
 * A place among the events. A subscription's cursor has at most one parcel out, and hands it out again before any
 * later one; a queue's cursor has as many out as are asked for.
 */
export interface Cursor {
  readonly name: string;
  /** The next parcel; undefined when the signal is aborted. Rejects when the transport fails; ask again then. */
  next(signal: AbortSignal): Promise<Parcel | undefined>;
  close(): Promise<void>;
}

/** An event on its way; without a decision it is delivered again after ackWait. */
export interface Parcel {
  readonly content: BusEvent | Unreadable;
  readonly sequence: number;
  readonly attempt: number;
  /** It is done with. */
  settle(): Promise<void>;
  /** It shall be delivered again after `delay` ms. */
  giveBack(delay: number): Promise<void>;
  /** ackWait begins anew. */
  extend(): void;
}

/** What came is no event of the catalogue. */
export interface Unreadable {
  readonly problem: string;
  readonly raw: string;
}
