/** A connection to NATS that comes back: made within a deadline, kept for ever, with a status that can be watched. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { BusStatus } from '../bus.ts';
import type { Notify } from '../transport.ts';
import { errorFromNats } from './nats-error.ts';
import type { ResolvedNatsBusOptions } from './options.ts';

/** Between attempts to connect, in ms: the first pause, which doubles up to the longest. */
const reconnectPause = { first: 100, longest: 5000 };
/** A peer that is silent for three of these, in ms, is taken for gone. */
const pingInterval = 10_000;
/** How long one attempt to connect may take, in ms. */
const dialTimeout = 5000;
const closeDeadline = 5000;

export class NatsLink {
  readonly where: string;
  readonly connection: NatsConnection;
  readonly #notify: Notify;
  #status: BusStatus = 'connected';
  /** Aborted when the connection is lost; replaced when it is back. */
  #outage = new AbortController();
  #back = Promise.withResolvers<undefined>();
  /** Attempts since the connection was lost. */
  readonly #attempts: { count: number };

  private constructor(where: string, connection: NatsConnection, attempts: { count: number }, notify: Notify) {
    this.where = where;
    this.connection = connection;
    this.#attempts = attempts;
    this.#notify = notify;
    this.#back.resolve(undefined);
    void this.#watch();
  }

  /**
   * `unavailable`: nobody answered until the deadline. `unauthenticated`: the server refuses the credentials, which
   * is not tried again.
   */
  static async connect(options: ResolvedNatsBusOptions, notify: Notify): Promise<NatsLink> {
    const { where, servers, connectDeadline } = options;
    const deadline = performance.now() + connectDeadline;
    const attempts = { count: 0 };
    for (;;) {
      try {
        const connection = await connect({
          ...options.connection,
          servers: [...servers],
          timeout: Math.min(connectDeadline, dialTimeout),
          maxReconnectAttempts: -1,
          ignoreAuthErrorAbort: true,
          reconnectDelayHandler: () => pauseBefore(attempts.count),
          pingInterval,
          noAsyncTraces: true,
        });
        // The client forgets servers that did not answer at the start; they may come yet.
        connection.setServers([...new Set([...servers, ...connection.getServers().map(({ listen }) => listen)])]);
        return new NatsLink(where, connection, attempts, notify);
      } catch (reason) {
        const error = errorFromNats(reason, where);
        if (error.code !== 'unavailable') throw error;
        if (performance.now() + reconnectPause.first >= deadline)
          throw new CrucibleError(
            'unavailable',
            `${where}: no NATS server within ${connectDeadline} ms: ${reason instanceof Error ? reason.message : ''}`,
            { cause: reason },
          );
        await sleep(reconnectPause.first);
      }
    }
  }

  get status(): BusStatus {
    return this.#status;
  }

  /** Aborted when the connection that is there now is lost. */
  get outage(): AbortSignal {
    return this.#outage.signal;
  }

  /** Waits, at most `ms`, until there is a connection; tells whether there is. */
  async isConnectedWithin(ms: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#status === 'connected') return true;
    const waited = new AbortController();
    const signals = signal === undefined ? [waited.signal] : [waited.signal, signal];
    const timer = sleep(ms, undefined, { signal: AbortSignal.any(signals), ref: false }).catch(() => undefined);
    const isBack = await Promise.race([this.#back.promise.then(() => true), timer]);
    waited.abort();
    return isBack === true;
  }

  async close(): Promise<void> {
    const { connection } = this;
    if (this.#status === 'connected')
      await withDeadline(connection.drain(), closeDeadline, `${this.where}: draining`).catch(() => undefined);
    await connection.close();
    this.#change('closed');
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      switch (status.type) {
        case 'disconnect':
          this.#outage.abort();
          this.#back = Promise.withResolvers();
          this.#change('reconnecting');
          break;
        case 'reconnecting':
          this.#attempts.count++;
          break;
        case 'reconnect':
          this.#attempts.count = 0;
          this.#outage = new AbortController();
          this.#change('connected');
          this.#back.resolve(undefined);
          break;
        case 'error':
          this.#notify({ kind: 'trouble', error: errorFromNats(status.error, this.where) });
          break;
        default:
        // Nothing to do: the client deals with cluster updates, lame ducks and stale connections.
      }
    }
    this.#outage.abort();
    this.#back = Promise.withResolvers();
    this.#change('closed');
  }

  #change(status: BusStatus): void {
    if (this.#status === 'closed' || this.#status === status) return;
    this.#status = status;
    this.#notify({ kind: 'status', status });
  }
}

/** With a fifth of jitter, so that the clients of a server that comes back do not come all at once. */
function pauseBefore(attempt: number): number {
  const pause = Math.min(reconnectPause.first * 2 ** attempt, reconnectPause.longest);
  return pause * (0.9 + 0.2 * Math.random());
}
