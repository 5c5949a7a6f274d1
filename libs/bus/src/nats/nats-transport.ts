import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager, PubAck } from '@nats-io/jetstream';
import { CrucibleError } from '@crucible/foundation';
import type { BusHealth, BusStatus, DeadLetter, Receipt } from '../bus.ts';
import type { QueueName } from '../catalogue.ts';
import type { BusEvent } from '../event.ts';
import type { Cursor, CursorRequest, Notify, Transport } from '../transport.ts';
import { encodeHeader, headersFromEvent } from './cloud-event.ts';
import { findDeadLetters, publicationFromDeadLetter } from './dead-letters.ts';
import { NatsCursor } from './nats-cursor.ts';
import { errorFromNats } from './nats-error.ts';
import { NatsLink } from './nats-link.ts';
import type { ResolvedNatsBusOptions } from './options.ts';
import type { Publication } from './publication.ts';
import { ensureStreams, eventStream, workSubject } from './streams.ts';
import { untilAnswered } from './until-answered.ts';

const buryDeadline = 10_000;

export class NatsTransport implements Transport {
  readonly #options: ResolvedNatsBusOptions;
  readonly #link: NatsLink;
  readonly #jsm: JetStreamManager;
  readonly #js: JetStreamClient;

  private constructor(options: ResolvedNatsBusOptions, link: NatsLink, jsm: JetStreamManager) {
    this.#options = options;
    this.#link = link;
    this.#jsm = jsm;
    this.#js = jsm.jetstream();
  }

  static async open(options: ResolvedNatsBusOptions, notify: Notify): Promise<NatsTransport> {
    const link = await NatsLink.connect(options, notify);
    try {
      const jsm = await jetstreamManager(link.connection, { checkAPI: false });
      await untilAnswered(link, {
        what: 'making the streams',
        deadline: options.connectDeadline,
        ask: () => ensureStreams(jsm, options.streams).catch((reason: unknown) => refuseWithoutJetStream(link, reason)),
      });
      return new NatsTransport(options, link, jsm);
    } catch (reason) {
      await link.close();
      const error = errorFromNats(reason, link.where);
      throw error.code === 'deadline-exceeded' ? new CrucibleError('unavailable', error.message) : error;
    }
  }

  get status(): BusStatus {
    return this.#link.status;
  }

  async store(event: BusEvent, payload: Uint8Array, queue: QueueName | undefined, deadline: number): Promise<Receipt> {
    const began = performance.now();
    const common = { headers: headersFromEvent(event), payload, id: event.id };
    const { seq, duplicate } = await this.#publish({ ...common, subject: event.type }, deadline);
    if (queue !== undefined) {
      // A worker must not begin what is not yet a fact.
      const left = Math.max(deadline - (performance.now() - began), 1);
      await this.#publish({ ...common, subject: workSubject(queue) }, left);
    }
    return { sequence: seq, duplicate };
  }

  openCursor(request: CursorRequest): Promise<Cursor> {
    return NatsCursor.open(this.#link, this.#jsm, this.#options.streams, request);
  }

  async bury(letter: DeadLetter): Promise<void> {
    await this.#publish(publicationFromDeadLetter(letter), buryDeadline);
  }

  async deadLetters(limit: number): Promise<DeadLetter[]> {
    try {
      return await findDeadLetters(this.#jsm, limit);
    } catch (reason) {
      throw errorFromNats(reason, `${this.#link.where}: reading dead letters`);
    }
  }

  async health(): Promise<BusHealth> {
    const { where, status, connection } = this.#link;
    if (status !== 'connected') return { ready: false, status, detail: `${where}: ${status}` };
    try {
      const roundTrip = await connection.rtt();
      const { state } = await this.#jsm.streams.info(eventStream);
      const mebibytes = (state.bytes / 2 ** 20).toFixed(1);
      const detail = `${state.last_seq} events so far, ${mebibytes} MiB of them kept; round trip ${roundTrip} ms`;
      return { ready: true, status, detail: `${where}: ${detail}` };
    } catch (reason) {
      return { ready: false, status, detail: errorFromNats(reason, where).message };
    }
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #publish({ subject, headers, payload, id }: Publication, deadline: number): Promise<PubAck> {
    return untilAnswered(this.#link, {
      what: `publishing ${subject} ${id}`,
      deadline,
      // The server stores an id once within the duplicate window, so that a repetition is harmless.
      ask: (timeout) => this.#js.publish(subject, payload, { headers, msgID: encodeHeader(id), timeout }),
      heal: () => ensureStreams(this.#jsm, this.#options.streams),
    });
  }
}

/** No answer, and a server that does not claim JetStream (another one of its cluster might): there is none to wait for. */
function refuseWithoutJetStream({ connection, where }: NatsLink, reason: unknown): never {
  if (connection.info?.jetstream === true || errorFromNats(reason, where).code !== 'unavailable') throw reason;
  throw new CrucibleError(
    'failed-precondition',
    `${where}: the NATS server runs without JetStream; start it with -js or a jetstream block`,
    { cause: reason },
  );
}
