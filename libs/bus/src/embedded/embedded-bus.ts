/**
 * The bus of one process: a durable log in a folder, or memory alone. It keeps the same promises as NATS JetStream
 * with `sync_interval: always`, and needs no server.
 */
import type { Bus } from '../bus.ts';
import { EventBus } from '../event-bus.ts';
import { Notices } from '../notices.ts';
import { EmbeddedTransport } from './embedded-transport.ts';
import { resolveEmbeddedBusOptions } from './options.ts';
import type { EmbeddedBusOptions } from './options.ts';

/**
 * Opens the bus of a folder, or one in memory without a folder.
 *
 * `conflict`: another process has the folder. `data-loss`: a file is damaged; the message names it and the place.
 */
export async function createEmbeddedBus(options: EmbeddedBusOptions = {}): Promise<Bus> {
  const resolved = resolveEmbeddedBusOptions(options);
  const notices = new Notices();
  return new EventBus(await EmbeddedTransport.open(resolved, notices.send), notices, resolved.drainDeadline);
}
