/**
 * The interface of the bus: facts that happened, for everybody, and work that waits, for one worker each.
 * `createNatsBus` and `createEmbeddedBus` implement it, and bus.contract.ts is what both keep.
 */
import type { CrucibleError } from '@crucible/foundation';
import type { EventPattern, EventType, QueueName, TypesOf, queues } from './catalogue.ts';
import type { BusEvent } from './event.ts';

export interface Bus extends AsyncDisposable {
  readonly status: BusStatus;

  /**
   * Stores an event; resolves when it is stored durably, and not before. It is tried again until then; an event with
   * an id that was stored in the last two minutes is not stored again. Publishing the same event again is therefore
   * the right answer to any error but `invalid-input`.
   *
   * `invalid-input`: the event is not as the catalogue says. `unavailable`: no acknowledgement came in time; the event
   * may be stored or not. `resource-exhausted`: the disk or the stream is full. `failed-precondition`: the bus is closed.
   */
  publish<T extends EventType>(event: BusEvent<T>, options?: PublishOptions): Promise<Receipt>;

  /**
   * Hands every event of the types to the handler, one after the other, in the order of publishing. Resolves when the
   * subscription stands: what is published afterwards will come.
   *
   * An event whose handler throws comes again, with pauses, and holds back those behind it; after `maxDeliver` times
   * it goes to the dead letters. Delivery is at least once: after a crash the last event may come twice, so handlers
   * are idempotent by `event.id`. A durable subscription is spared events that this process has handled for it (the
   * last 10,000 are remembered).
   */
  subscribe<P extends EventPattern>(
    patterns: P | readonly P[],
    options: SubscribeOptions,
    handler: Handler<TypesOf<P>>,
  ): Promise<Subscription>;

  /**
   * Works on a queue together with all other consumers of its name, on all machines: each event goes to one of them,
   * and comes to another when that one throws, dies, or overruns `ackWait`; after `maxDeliver` times it goes to the
   * dead letters. Order is not kept.
   */
  consume<Q extends QueueName>(
    queue: Q,
    options: ConsumeOptions,
    handler: Handler<(typeof queues)[Q]>,
  ): Promise<Subscription>;

  /** Events that were given up, the newest first. `limit`: 100 by default. */
  deadLetters(options?: { readonly limit?: number }): Promise<DeadLetter[]>;

  /** Calls the listener for what happens from now on; the function that comes back ends that. */
  observe(listener: (notice: BusNotice) => void): () => void;

  /** Asks the other side; never throws, and answers within two seconds. */
  health(): Promise<BusHealth>;

  /**
   * Takes no more work, waits for the handlers that run, at most `drainDeadline`, gives back what they hold after
   * that, and closes.
   */
  close(): Promise<void>;
}

/** `reconnecting`: the server is out of reach, the bus keeps trying and publishers wait. */
export type BusStatus = 'connected' | 'reconnecting' | 'closed';

export interface PublishOptions {
  /** How long to try, in ms, at most 120,000; 30,000 by default. */
  readonly deadline?: number;
}

export interface Receipt {
  /** Where the event stands among all events, from 1; later events have greater numbers. */
  readonly sequence: number;
  /** An event of this id was there already. */
  readonly duplicate: boolean;
}

/** What subscribers and workers decide about deliveries. */
export interface DeliveryOptions {
  /**
   * How long a handler may take in ms, from the delivery or from its last `working()`; then its signal is aborted and
   * the event is delivered again. 30,000 by default, at least 100. The workers of a queue, and the subscriptions of one
   * name, use the same: over NATS, that of the last one counts for all.
   */
  readonly ackWait?: number;
  /**
   * How often an event is delivered before it goes to the dead letters, deliveries that were given back included;
   * 5 by default.
   */
  readonly maxDeliver?: number;
  /** Pauses before the second, third, … delivery in ms, the last one for all further; [1000, 5000, 30000] by default. */
  readonly backoff?: readonly number[];
  /** Ends the subscription at once: running handlers are aborted and what they hold is given back. */
  readonly signal?: AbortSignal;
}

export interface SubscribeOptions extends DeliveryOptions {
  /**
   * The name under which the subscription goes on where it stopped, also after a restart: letters, digits, `-` and `_`,
   * at most 64. Subscriptions of one name share its place, each event goes to one of them; they have to ask for the same
   * types. Without a name, the place is lost when the subscription ends.
   */
  readonly durable?: string;
  /**
   * Where a new subscription begins: with events after now, with the oldest, or at a sequence. `new` by default; a
   * durable name that exists already goes on where it is.
   */
  readonly from?: 'new' | 'all' | number;
}

export interface ConsumeOptions extends DeliveryOptions {
  /** How many events are handled at the same time; 1 by default. */
  readonly maxInFlight?: number;
}

/** Returning settles the event; throwing asks for it again later. */
export type Handler<T extends EventType> = (delivery: Delivery<T>) => Promise<void> | void;

export interface Delivery<T extends EventType = EventType> {
  readonly event: BusEvent<T>;
  /** Where the event stands: among all events in a subscription, in its queue for a worker. */
  readonly sequence: number;
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** Aborted when the event is taken from the handler: `ackWait` is over, or the subscription ends. */
  readonly signal: AbortSignal;
  /** Says that the handler is alive: `ackWait` begins anew. */
  readonly working: () => void;
  /** Gives the event up: it goes to the dead letters, whatever the handler does afterwards. Throws, to end the handler. */
  readonly reject: (reason: string) => never;
}

export interface Subscription extends AsyncDisposable {
  /** The durable name, the queue, or a name made up for a subscription without one. */
  readonly name: string;
  /** Resolves when the subscription has ended. */
  readonly closed: Promise<void>;
  /** Takes no more events, and lets running handlers finish as in `Bus.close()`. */
  close(): Promise<void>;
}

export interface DeadLetter {
  /** RFC 3339. */
  readonly time: string;
  readonly from: { readonly kind: 'queue' | 'subscription'; readonly name: string };
  readonly reason: string;
  readonly attempts: number;
  readonly sequence: number;
  /** Undefined when what came was no event of the catalogue. */
  readonly event: BusEvent | undefined;
  /** What came instead of an event, as text. */
  readonly raw: string | undefined;
}

/** What an operator wants to know; the bus itself writes no logs. */
export type BusNotice =
  | { readonly kind: 'status'; readonly status: BusStatus }
  /** A handler threw or overran its time; the event comes again. */
  | {
      readonly kind: 'retry';
      readonly from: DeadLetter['from'];
      readonly eventId: string;
      readonly attempt: number;
      readonly error: CrucibleError;
    }
  | { readonly kind: 'dead-letter'; readonly letter: DeadLetter }
  /** Something of the bus itself failed; it goes on trying. */
  | { readonly kind: 'trouble'; readonly error: CrucibleError };

export interface BusHealth {
  /** Whether publishing and consuming work at present. */
  readonly ready: boolean;
  readonly status: BusStatus;
  /** For a person. */
  readonly detail: string;
}
