/**
 * Takes parcels from a cursor, has them handled, and decides what becomes of each: settled, given back, or buried as
 * a dead letter. Both implementations of the bus deliver through it.
 *
 * The bus counts deliveries and buries by itself. JetStream's own `max_deliver` would only stop delivering: the message
 * stays in its stream, and the advisory that says so is lost when nobody listens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import type { BusNotice, DeadLetter, Delivery, Handler, Subscription } from './bus.ts';
import type { EventType } from './catalogue.ts';
import type { ResolvedDeliveryOptions } from './delivery-options.ts';
import type { BusEvent } from './event.ts';
import type { RecentIds } from './recent-ids.ts';
import type { Cursor, Parcel } from './transport.ts';

/** How long a handler has to end after its signal was aborted, in ms, before its event is given back without it. */
const abortGrace = 1000;
/** How long to pause when the transport fails, in ms. */
const troublePause = 1000;

export interface DeliveryLoopOptions extends ResolvedDeliveryOptions {
  readonly kind: DeadLetter['from']['kind'];
  readonly cursor: Cursor;
  /** How many parcels are handled at the same time. */
  readonly slots: number;
  readonly handler: Handler<EventType>;
  /** The ids of what was handled. */
  readonly handled: RecentIds<true>;
  readonly bury: (letter: DeadLetter) => Promise<void>;
  readonly notify: (notice: BusNotice) => void;
  readonly drainDeadline: number;
}

type Outcome =
  | { readonly kind: 'done' | 'given back' }
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: CrucibleError; readonly overran: boolean };

/** What `Delivery.reject` throws to end the handler. */
class Rejection extends Error {
  override readonly name = 'Rejection';
}

export class DeliveryLoop implements Subscription {
  readonly name: string;
  readonly closed: Promise<void>;
  readonly #options: DeliveryLoopOptions;
  /** Aborted: no more parcels are taken. */
  readonly #stop = new AbortController();
  /** Aborted: running handlers are to end, too. */
  readonly #end = new AbortController();
  /** The handlers that run, by event id. */
  readonly #running = new Map<string, AbortController>();

  constructor(options: DeliveryLoopOptions) {
    this.#options = options;
    this.name = options.cursor.name;
    this.closed = this.#run();
    const { signal } = options;
    const abort = (): void => this.#abort();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    void this.closed.then(() => signal?.removeEventListener('abort', abort));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const late = new AbortController();
    await Promise.race([this.closed, sleep(this.#options.drainDeadline, undefined, { signal: late.signal })]).finally(
      () => late.abort(),
    );
    this.#abort();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #abort(): void {
    this.#stop.abort();
    this.#end.abort();
    const reason = new CrucibleError('cancelled', `${this.name}: the subscription has ended`);
    for (const controller of this.#running.values()) controller.abort(reason);
  }

  async #run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.slots }, () => this.#runSlot()));
    await this.#options.cursor.close().catch((reason: unknown) => this.#tell(reason));
  }

  async #runSlot(): Promise<void> {
    const { cursor } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const parcel = await cursor.next(signal);
        if (parcel !== undefined) await this.#process(parcel);
      } catch (reason) {
        this.#tell(reason);
        await sleep(troublePause, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Rejects when the decision cannot be told to the transport; the parcel then comes again after ackWait. */
  async #process(parcel: Parcel): Promise<void> {
    const { content, attempt } = parcel;
    const { handled, maxDeliver, ackWait, backoff, kind, notify } = this.#options;
    if (this.#stop.signal.aborted) return parcel.giveBack(0);
    if ('problem' in content) return this.#bury(parcel, content.problem);
    if (handled.get(content.id)) return parcel.settle();
    // It has overrun ackWait here and the handler is still at it.
    if (this.#running.has(content.id)) return parcel.giveBack(ackWait);
    if (attempt > maxDeliver) return this.#bury(parcel, `not settled in ${maxDeliver} deliveries`);

    const outcome = await this.#handle(parcel, content);
    switch (outcome.kind) {
      case 'done':
        handled.add(content.id, true);
        return parcel.settle();
      case 'given back':
        return parcel.giveBack(0);
      case 'rejected':
        return this.#bury(parcel, outcome.reason);
      case 'failed': {
        const { error, overran } = outcome;
        if (attempt >= maxDeliver)
          return this.#bury(parcel, `failed in ${attempt} of ${maxDeliver} deliveries: ${error.message}`);
        notify({ kind: 'retry', from: { kind, name: this.name }, eventId: content.id, attempt, error });
        // What has overrun its time is on its way to somebody already.
        return overran ? undefined : parcel.giveBack(backoff[Math.min(attempt, backoff.length) - 1]!);
      }
      default:
        return outcome satisfies never;
    }
  }

  async #handle(parcel: Parcel, event: BusEvent): Promise<Outcome> {
    const { ackWait, handler } = this.#options;
    const { sequence, attempt } = parcel;
    const controller = new AbortController();
    const fate = { overran: false, rejection: undefined as string | undefined };
    const overrun = (): void => {
      fate.overran = true;
      const message = `the handler of ${this.name} took more than ${ackWait} ms for ${event.type} ${event.id}`;
      controller.abort(new CrucibleError('deadline-exceeded', message));
    };
    let timer = setTimeout(overrun, ackWait);
    const delivery: Delivery = {
      event,
      sequence,
      attempt,
      signal: controller.signal,
      working: () => {
        if (controller.signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(overrun, ackWait);
        parcel.extend();
      },
      reject: (reason) => {
        fate.rejection ??= reason;
        throw new Rejection(reason);
      },
    };

    this.#running.set(event.id, controller);
    const abandoned = this.#abandoned();
    try {
      await Promise.race([Promise.resolve(delivery).then(handler), abandoned.promise]);
      return fate.rejection === undefined ? { kind: 'done' } : { kind: 'rejected', reason: fate.rejection };
    } catch (reason) {
      const { overran, rejection } = fate;
      if (rejection !== undefined) return { kind: 'rejected', reason: rejection };
      if (overran) return { kind: 'failed', error: CrucibleError.from(controller.signal.reason), overran };
      if (this.#end.signal.aborted) return { kind: 'given back' };
      return { kind: 'failed', error: CrucibleError.from(reason), overran };
    } finally {
      clearTimeout(timer);
      abandoned.forget();
      this.#running.delete(event.id);
    }
  }

  /** Rejects some time after the subscription was ended: a handler that goes on regardless is not waited for. */
  #abandoned(): { readonly promise: Promise<never>; forget(): void } {
    const { promise, reject } = Promise.withResolvers<never>();
    const { signal } = this.#end;
    let timer: NodeJS.Timeout | undefined;
    const onEnd = (): void => void (timer = setTimeout(reject, abortGrace));
    signal.addEventListener('abort', onEnd);
    return {
      promise,
      forget: () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onEnd);
      },
    };
  }

  /** A letter is stored before its event is settled: it may be there twice for a moment, and never not at all. */
  async #bury(parcel: Parcel, reason: string): Promise<void> {
    const { content, sequence, attempt } = parcel;
    const letter: DeadLetter = {
      time: new Date().toISOString(),
      from: { kind: this.#options.kind, name: this.name },
      reason,
      attempts: attempt,
      sequence,
      ...('problem' in content ? { event: undefined, raw: content.raw } : { event: content, raw: undefined }),
    };
    await this.#options.bury(letter);
    await parcel.settle();
    this.#options.notify({ kind: 'dead-letter', letter });
  }

  #tell(reason: unknown): void {
    this.#options.notify({ kind: 'trouble', error: CrucibleError.from(reason) });
  }
}
