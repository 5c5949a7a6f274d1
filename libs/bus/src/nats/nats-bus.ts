/** The bus over NATS JetStream, for several processes on several machines. */
import type { Bus } from '../bus.ts';
import { EventBus } from '../event-bus.ts';
import { Notices } from '../notices.ts';
import { NatsTransport } from './nats-transport.ts';
import { resolveNatsBusOptions } from './options.ts';
import type { NatsBusOptions } from './options.ts';

/**
 * Connects, and makes the streams where they are missing.
 *
 * `unavailable`: no server answers within `connectDeadline`. `unauthenticated`, `permission-denied`: the server refuses.
 * `failed-precondition`: it has no JetStream, or streams of our names that are not ours.
 */
export async function createNatsBus(options: NatsBusOptions): Promise<Bus> {
  const resolved = resolveNatsBusOptions(options);
  const notices = new Notices();
  return new EventBus(await NatsTransport.open(resolved, notices.send), notices, resolved.drainDeadline);
}
