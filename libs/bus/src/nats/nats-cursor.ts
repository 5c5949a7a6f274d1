/** A place in a stream, kept by a JetStream pull consumer; made again where the server has lost it. */
import { randomUUID } from 'node:crypto';
import { AckPolicy, DeliverPolicy, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { Consumer, ConsumerConfig, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { queues } from '../catalogue.ts';
import type { EventType } from '../catalogue.ts';
import type { Cursor, CursorRequest, Parcel } from '../transport.ts';
import { eventFromMessage } from './cloud-event.ts';
import { errorFromNats } from './nats-error.ts';
import type { NatsLink } from './nats-link.ts';
import type { ResolvedNatsBusOptions } from './options.ts';
import { ensureStreams, eventStream, workStream, workSubject } from './streams.ts';
import { untilAnswered } from './until-answered.ts';

/**
 * How long the server keeps a request for a message, in ms. Short, because requests cannot be taken back: server 2.9
 * wastes a redelivery on a request whose asker has gone, and the event then waits for ackWait.
 */
const pullExpires = 5000;
/** How often the server says that it is there while there is no message, in ms; two missing ones end the request. */
const heartbeat = 2000;
/** How long the server keeps the place of a subscription without a name that nobody asks for, in ms. */
const inactiveThreshold = 300_000;
/** How long to try to tell the server what is settled, in ms; it delivers again what it does not hear of. */
const settleDeadline = 10_000;

export class NatsCursor implements Cursor {
  readonly name: string;
  readonly #link: NatsLink;
  readonly #jsm: JetStreamManager;
  readonly #streams: ResolvedNatsBusOptions['streams'];
  readonly #request: CursorRequest;
  readonly #stream: string;
  readonly #filter: string;
  /** Subjects that were asked for; the filter may let more through. */
  readonly #subjects: ReadonlySet<string>;
  /** Whether the place is forgotten with the cursor. */
  readonly #isPassing: boolean;
  /** Where the consumer begins should it have to be made; grows with what is settled. */
  #begin = 1;
  /** Undefined when it has to be looked at whether the consumer is there. */
  #consumer: Consumer | undefined;

  private constructor(
    link: NatsLink,
    jsm: JetStreamManager,
    streams: ResolvedNatsBusOptions['streams'],
    request: CursorRequest,
  ) {
    this.#link = link;
    this.#jsm = jsm;
    this.#streams = streams;
    this.#request = request;
    this.#isPassing = request.kind === 'subscription' && request.durable === undefined;
    if (request.kind === 'queue') {
      this.name = request.queue;
      this.#stream = workStream;
      this.#filter = workSubject(request.queue);
      this.#subjects = new Set([this.#filter]);
    } else {
      this.name = request.durable ?? `ephemeral-${randomUUID()}`;
      this.#stream = eventStream;
      this.#filter = filterFor(request.types);
      this.#subjects = new Set(request.types);
    }
  }

  static async open(
    link: NatsLink,
    jsm: JetStreamManager,
    streams: ResolvedNatsBusOptions['streams'],
    request: CursorRequest,
  ): Promise<NatsCursor> {
    const cursor = new NatsCursor(link, jsm, streams, request);
    try {
      if (request.kind === 'subscription' && request.from !== 'all')
        cursor.#begin =
          request.from === 'new' ? (await jsm.streams.info(eventStream)).state.last_seq + 1 : request.from;
      await cursor.#ensureConsumer();
    } catch (reason) {
      throw cursor.#error(reason);
    }
    return cursor;
  }

  async next(signal: AbortSignal): Promise<Parcel | undefined> {
    while (!signal.aborted) {
      if (!(await this.#link.isConnectedWithin(pullExpires, signal))) continue;
      const { outage } = this.#link;
      try {
        this.#consumer ??= await this.#reopen();
        const message = await pullOne(this.#consumer, [signal, outage]);
        if (message !== undefined) {
          if (this.#subjects.has(message.subject)) return this.#parcel(message);
          message.ack();
        }
        if (outage.aborted) this.#consumer = undefined;
      } catch (reason) {
        this.#consumer = undefined;
        if (!outage.aborted) throw this.#error(reason);
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    // Without this, the server forgets it by itself some minutes later.
    if (this.#isPassing && this.#link.status === 'connected')
      await this.#jsm.consumers.delete(eventStream, this.name).catch(() => undefined);
  }

  /** After an outage, the consumer may be gone, or even the stream. */
  async #reopen(): Promise<Consumer> {
    await ensureStreams(this.#jsm, this.#streams);
    const { state } = await this.#jsm.streams.info(this.#stream);
    // The stream has been made anew, or has lost its end: numbers begin again below ours.
    if (state.last_seq + 1 < this.#begin) this.#begin = 1;
    await this.#ensureConsumer();
    return this.#jsm.jetstream().consumers.get(this.#stream, this.name);
  }

  async #ensureConsumer(): Promise<void> {
    const { consumers } = this.#jsm;
    const changeable = { ack_wait: nanos(this.#request.ackWait), filter_subject: this.#filter };
    const existing = await this.#findConsumer();
    if (existing === undefined) await this.#addConsumer(changeable);
    else if (existing.ack_wait !== changeable.ack_wait || existing.filter_subject !== this.#filter)
      await consumers.update(this.#stream, this.name, changeable);
  }

  async #findConsumer(): Promise<ConsumerConfig | undefined> {
    try {
      return (await this.#jsm.consumers.info(this.#stream, this.name)).config;
    } catch (reason) {
      if (reason instanceof JetStreamApiError && reason.code === JetStreamApiCodes.ConsumerNotFound) return undefined;
      throw reason;
    }
  }

  async #addConsumer(changeable: Partial<ConsumerConfig>): Promise<void> {
    const place =
      this.#request.kind === 'queue'
        ? { deliver_policy: DeliverPolicy.All }
        : // One at a time keeps the order, also when one is delivered again.
          { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#begin, max_ack_pending: 1 };
    const life = this.#isPassing
      ? { name: this.name, inactive_threshold: nanos(inactiveThreshold), mem_storage: true }
      : { durable_name: this.name };
    try {
      await this.#jsm.consumers.add(this.#stream, {
        ...changeable,
        ...place,
        ...life,
        ack_policy: AckPolicy.Explicit,
        // The bus counts by itself; see DeliveryLoop.
        max_deliver: -1,
      });
    } catch (reason) {
      // Another process may have made it at the same moment.
      if ((await this.#findConsumer()) === undefined) throw reason;
    }
  }

  #parcel(message: JsMsg): Parcel {
    const { seq, info } = message;
    return {
      content: eventFromMessage(message, this.#typeOn(message.subject)),
      sequence: seq,
      attempt: info.deliveryCount,
      settle: async () => {
        this.#begin = Math.max(this.#begin, seq + 1);
        // The server remembers over an outage what is out, and answers an acknowledgement.
        await untilAnswered(this.#link, {
          what: `${this.#request.kind} ${this.name}: settling ${seq}`,
          deadline: Math.min(this.#request.ackWait, settleDeadline),
          ask: (timeout) => this.#link.connection.request(acknowledgeSubject(message), '+ACK', { timeout }),
        });
      },
      giveBack: (delay) => {
        message.nak(delay);
        return Promise.resolve();
      },
      extend: () => message.working(),
    };
  }

  #typeOn(subject: string): string {
    return this.#request.kind === 'queue' ? queues[this.#request.queue] : subject;
  }

  #error(reason: unknown): Error {
    return errorFromNats(reason, `${this.#link.where}: ${this.#request.kind} ${this.name}`);
  }
}

/**
 * One message, asked for when there is a hand free, so that none is hoarded; undefined when none came, or one of the
 * signals was aborted.
 */
async function pullOne(consumer: Consumer, signals: readonly AbortSignal[]): Promise<JsMsg | undefined> {
  const messages = await consumer.fetch({ max_messages: 1, expires: pullExpires, idle_heartbeat: heartbeat });
  const stop = (): void => messages.stop();
  for (const signal of signals) signal.addEventListener('abort', stop);
  if (signals.some(({ aborted }) => aborted)) stop();
  try {
    for await (const message of messages) return message;
    return undefined;
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', stop);
  }
}

/** The client keeps it to itself, and its own `ackAck` cannot be repeated. */
function acknowledgeSubject(message: JsMsg): string {
  return (message as JsMsg & { readonly reply: string }).reply;
}

/** The narrowest single filter that lets all of the types through: servers before 2.10 take no more than one. */
function filterFor(types: readonly EventType[]): string {
  if (types.length === 1) return types[0]!;
  const families = new Set(types.map((type) => type.slice(0, type.lastIndexOf('.'))));
  return families.size === 1 ? `${[...families].join()}.*` : 'crucible.>';
}
