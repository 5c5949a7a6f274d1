/**
 * Asking the server for something until it has answered. NATS drops without a word what is sent while the connection
 * is lost, and no answer comes over a connection that is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import { errorFromNats } from './nats-error.ts';
import type { NatsLink } from './nats-link.ts';

/** How long one attempt waits for its answer, in ms. */
const attemptTimeout = 5000;
/** Between attempts while there is a connection, in ms. */
const retryPause = 200;

export interface Asking<T> {
  /** For messages. */
  readonly what: string;
  /** How long to try, in ms. */
  readonly deadline: number;
  /** May be repeated; rejects when no answer came within `timeout` ms. */
  readonly ask: (timeout: number) => Promise<T>;
  /** Called when the server is there and does not answer: a stream may be gone. */
  readonly heal?: () => Promise<void>;
}

/** Tries again on `unavailable`; rejects with `deadline-exceeded` in the end, and with any other error at once. */
export async function untilAnswered<T>(link: NatsLink, { what, deadline, ask, heal }: Asking<T>): Promise<T> {
  const end = performance.now() + deadline;
  const left = (): number => end - performance.now();
  let last = 'there was no connection';
  while (left() > 0) {
    if (!(await link.isConnectedWithin(left()))) continue;
    try {
      return await unlessLost(link, ask(Math.min(attemptTimeout, Math.max(left(), 1))));
    } catch (reason) {
      const error = errorFromNats(reason, `${link.where}: ${what}`);
      if (error.code !== 'unavailable') throw error;
      last = reason instanceof Error ? reason.message : String(reason);
      if (link.outage.aborted) continue;
      await heal?.().catch(() => undefined);
      await sleep(Math.min(retryPause, Math.max(left(), 0)));
    }
  }
  throw new CrucibleError('deadline-exceeded', `${link.where}: ${what}: no answer within ${deadline} ms: ${last}`);
}

async function unlessLost<T>({ outage }: NatsLink, answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onOutage = (): void => reject(new CrucibleError('unavailable', 'the connection was lost'));
  outage.addEventListener('abort', onOutage);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    outage.removeEventListener('abort', onOutage);
  }
}
