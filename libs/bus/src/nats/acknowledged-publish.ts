/** Publishing to JetStream until the server has acknowledged it. Core NATS drops without a word what is published during an outage. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamClient, PubAck } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { CrucibleError } from '@crucible/foundation';
import { encodeHeader } from './cloud-event.ts';
import { errorFromNats } from './nats-error.ts';
import type { NatsLink } from './nats-link.ts';

/** How long one attempt waits for its acknowledgement, in ms. */
const attemptTimeout = 5000;
/** Between attempts while there is a connection, in ms. */
const retryPause = 200;

export interface Publication {
  readonly subject: string;
  readonly headers: MsgHdrs;
  readonly payload: Uint8Array;
  /** The server stores an id once within the duplicate window, so that a repetition is harmless. */
  readonly id: string;
}

/**
 * Tries until `deadline` (of performance.now()), then rejects with `deadline-exceeded`. `heal` is called when the server
 * is there and nobody acknowledges: the stream may be gone.
 */
export async function publishAcknowledged(
  link: NatsLink,
  js: JetStreamClient,
  { subject, headers, payload, id }: Publication,
  deadline: number,
  heal: () => Promise<void>,
): Promise<PubAck> {
  const what = `${link.where}: publishing ${subject} ${id}`;
  const began = performance.now();
  let last = 'there was no connection';
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0)
      throw new CrucibleError(
        'deadline-exceeded',
        `${what}: not acknowledged within ${Math.round(deadline - began)} ms: ${last}`,
      );
    if (!(await link.isConnectedWithin(left))) continue;
    try {
      const timeout = Math.min(attemptTimeout, Math.max(deadline - performance.now(), 1));
      return await untilOutage(link, js.publish(subject, payload, { headers, msgID: encodeHeader(id), timeout }));
    } catch (reason) {
      const error = errorFromNats(reason, what);
      if (error.code !== 'unavailable') throw error;
      last = reason instanceof Error ? reason.message : String(reason);
      if (!link.outage.aborted) await heal().catch(() => undefined);
      await sleep(Math.min(retryPause, Math.max(deadline - performance.now(), 0)));
    }
  }
}

/** No acknowledgement comes over a connection that is gone. */
async function untilOutage<T>({ outage }: NatsLink, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onOutage = (): void => reject(new CrucibleError('unavailable', 'the connection was lost'));
  outage.addEventListener('abort', onOutage);
  try {
    return await Promise.race([work, promise]);
  } finally {
    outage.removeEventListener('abort', onOutage);
  }
}
