import { CrucibleError, invalidInput, throwIfCancelled, withDeadline } from '@crucible/foundation';
import type {
  Bus,
  BusHealth,
  BusNotice,
  BusStatus,
  ConsumeOptions,
  DeadLetter,
  Handler,
  PublishOptions,
  Receipt,
  SubscribeOptions,
  Subscription,
} from './bus.ts';
import { eventTypes, queueNames, queueOf, typesFromPatterns } from './catalogue.ts';
import type { EventPattern, EventType, QueueName, TypesOf, queues } from './catalogue.ts';
import { DeliveryLoop } from './delivery-loop.ts';
import { assertBetween, assertInteger, resolveDeliveryOptions } from './delivery-options.ts';
import type { ResolvedDeliveryOptions } from './delivery-options.ts';
import { encodeData, parseEvent } from './event.ts';
import type { BusEvent } from './event.ts';
import type { Notices } from './notices.ts';
import { RecentIds } from './recent-ids.ts';
import { duplicateWindow } from './transport.ts';
import type { Cursor, CursorRequest, Transport } from './transport.ts';

const healthDeadline = 2000;
/** How many handled events a durable subscription or a queue remembers. */
const handledCapacity = 10_000;

/** The bus over a transport: what NATS and the embedded log have in common. */
export class EventBus implements Bus {
  readonly #transport: Transport;
  readonly #notices: Notices;
  readonly #drainDeadline: number;
  readonly #loops = new Set<DeliveryLoop>();
  readonly #handled = new Map<string, RecentIds<true>>();
  #closing: Promise<void> | undefined;
  /** No handler runs any more: until then, handlers may publish what they have done. */
  #isDrained = false;

  constructor(transport: Transport, notices: Notices, drainDeadline: number) {
    this.#transport = transport;
    this.#notices = notices;
    this.#drainDeadline = drainDeadline;
  }

  get status(): BusStatus {
    return this.#transport.status;
  }

  async publish<T extends EventType>(event: BusEvent<T>, { deadline = 30_000 }: PublishOptions = {}): Promise<Receipt> {
    assertBetween('deadline', deadline, 1, duplicateWindow);
    const checked = parseEvent(event);
    const data = encodeData(checked);
    if (this.#isDrained) throw closed();
    try {
      return await this.#transport.store(checked, data, queueOf(checked.type), deadline);
    } catch (reason) {
      const error = CrucibleError.from(reason);
      if (error.code !== 'deadline-exceeded') throw error;
      throw new CrucibleError('unavailable', error.message, { cause: error.cause });
    }
  }

  async subscribe<P extends EventPattern>(
    patterns: P | readonly P[],
    options: SubscribeOptions,
    handler: Handler<TypesOf<P>>,
  ): Promise<Subscription> {
    const asked: readonly string[] = typeof patterns === 'string' ? [patterns] : patterns;
    const types = typesFromPatterns(asked);
    if (types.length === 0)
      throw invalidInput(
        `patterns ${JSON.stringify(asked)}: each must be crucible.>, crucible.FAMILY.* or one of ${eventTypes.join(', ')}`,
        { at: 'patterns' },
      );
    const { durable, from = 'new' } = options;
    if (durable !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(durable))
      throw invalidInput(`durable is ${JSON.stringify(durable)}; it must be 1 to 64 letters, digits, - and _`, {
        at: 'durable',
      });
    if (from !== 'new' && from !== 'all') assertInteger('from', from, 1, Number.MAX_SAFE_INTEGER);
    const delivery = resolveDeliveryOptions(options);
    const request: CursorRequest = { kind: 'subscription', durable, types, from, ackWait: delivery.ackWait };
    return this.#deliver(request, delivery, 1, handler as Handler<EventType>);
  }

  async consume<Q extends QueueName>(
    queue: Q,
    options: ConsumeOptions,
    handler: Handler<(typeof queues)[Q]>,
  ): Promise<Subscription> {
    if (!queueNames.includes(queue))
      throw invalidInput(`queue ${JSON.stringify(queue)}: must be one of ${queueNames.join(', ')}`, { at: 'queue' });
    const { maxInFlight = 1 } = options;
    assertInteger('maxInFlight', maxInFlight, 1, 256);
    const delivery = resolveDeliveryOptions(options);
    const request: CursorRequest = { kind: 'queue', queue, ackWait: delivery.ackWait };
    return this.#deliver(request, delivery, maxInFlight, handler as Handler<EventType>);
  }

  async deadLetters({ limit = 100 }: { readonly limit?: number } = {}): Promise<DeadLetter[]> {
    assertInteger('limit', limit, 1, 10_000);
    if (this.#isDrained) throw closed();
    return this.#transport.deadLetters(limit);
  }

  observe(listener: (notice: BusNotice) => void): () => void {
    return this.#notices.observe(listener);
  }

  async health(): Promise<BusHealth> {
    try {
      return await withDeadline(this.#transport.health(), healthDeadline, 'the bus');
    } catch (reason) {
      return { ready: false, status: this.status, detail: CrucibleError.from(reason).message };
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#loops].map((loop) => loop.close()));
    this.#isDrained = true;
    await this.#transport.close();
  }

  async #deliver(
    request: CursorRequest,
    options: ResolvedDeliveryOptions,
    slots: number,
    handler: Handler<EventType>,
  ): Promise<Subscription> {
    if (this.#isClosing()) throw closed();
    throwIfCancelled(options.signal, 'the subscription');
    const cursor = await this.#transport.openCursor(request);
    if (this.#isClosing()) {
      await cursor.close();
      throw closed();
    }
    const loop = new DeliveryLoop({
      ...options,
      kind: request.kind,
      cursor,
      slots,
      handler,
      handled: this.#handledBy(request, cursor),
      bury: (letter) => this.#transport.bury(letter),
      notify: this.#notices.send,
      drainDeadline: this.#drainDeadline,
    });
    this.#loops.add(loop);
    void loop.closed.then(() => this.#loops.delete(loop));
    return loop;
  }

  #handledBy(request: CursorRequest, { name }: Cursor): RecentIds<true> {
    const key = `${request.kind}/${name}`;
    const handled = this.#handled.get(key) ?? new RecentIds<true>({ capacity: handledCapacity });
    if (request.kind === 'queue' || request.durable !== undefined) this.#handled.set(key, handled);
    return handled;
  }

  #isClosing(): boolean {
    return this.#closing !== undefined;
  }
}

function closed(): CrucibleError {
  return new CrucibleError('failed-precondition', 'the bus is closed');
}
