/**
 * Guards a server without keys against pages in a browser on the same machine: a page of another site that posts to it,
 * and one that reaches it under a name of its own (DNS rebinding).
 */
import { BlockList, isIP } from 'node:net';
import { CrucibleError } from '@crucible/foundation';

const reads: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** `hosts` are lower-case names without ports, addresses of IPv6 in brackets. */
export function assertKnownHost(host: string | undefined, hosts: readonly string[]): void {
  const name = (host ?? '').toLowerCase().replace(/:\d*$/, '');
  if (hosts.includes(name)) return;
  throw new CrucibleError(
    'permission-denied',
    `the host ${JSON.stringify(host ?? '')} is not one of ${hosts.join(', ')}; CRUCIBLE_GATEWAY_HOSTS names more`,
    { at: 'host' },
  );
}

/** Pages may read across sites only what the browser lets them; what changes something comes from our own pages. */
export function assertSameSite(
  method: string,
  header: (name: string) => string | undefined,
  origins: readonly string[],
): void {
  if (reads.has(method)) return;
  const origin = header('origin');
  if (origin === undefined) {
    // Browsers that leave the origin out still say where a request comes from.
    const site = header('sec-fetch-site');
    if (site === undefined || site === 'same-origin' || site === 'none') return;
  } else if (origins.includes(origin) || hostOf(origin) === header('host')?.toLowerCase()) return;
  throw new CrucibleError(
    'permission-denied',
    `pages of ${origin ?? 'another site'} may not ask here; CRUCIBLE_GATEWAY_ORIGINS names those that may`,
    { at: 'origin' },
  );
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** What a server that listens at `host` is called on its own machine, as in the header Host. */
export function loopbackNames(host: string): readonly string[] {
  return ['localhost', '127.0.0.1', '[::1]', isIP(host) === 6 ? `[${host}]` : host.toLowerCase()];
}
