import { invalidInput } from '@crucible/foundation';
import type { Bus } from './bus.ts';
import { createEmbeddedBus } from './embedded/embedded-bus.ts';
import type { EmbeddedBusOptions } from './embedded/options.ts';
import { createNatsBus } from './nats/nats-bus.ts';
import type { NatsBusOptions } from './nats/options.ts';

export interface BusOptions {
  /** Used with `nats://` and `tls://`. */
  readonly nats?: Omit<NatsBusOptions, 'servers'>;
  /** Used with `embedded:`. */
  readonly embedded?: Omit<EmbeddedBusOptions, 'folder'>;
}

/**
 * Opens the bus that a URL names: `nats://HOST[:PORT]` or `tls://…` (several with commas between them),
 * `embedded:FOLDER`, or `embedded:` for one in memory.
 */
export async function createBus(url: string, options: BusOptions = {}): Promise<Bus> {
  if (/^(nats|tls):\/\//.test(url)) return createNatsBus({ ...options.nats, servers: url.split(',') });
  const folder = /^embedded:(?!\/\/)(.*)$/.exec(url)?.[1];
  if (folder === undefined)
    throw invalidInput(
      `bus URL ${JSON.stringify(url)}: must be nats://HOST[:PORT], tls://HOST[:PORT], embedded:FOLDER, or embedded: ` +
        'for a bus in memory',
      { at: 'url' },
    );
  return createEmbeddedBus({ ...options.embedded, ...(folder === '' ? {} : { folder }) });
}
