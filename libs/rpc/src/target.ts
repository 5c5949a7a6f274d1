import { isIP } from 'node:net';
import { invalidInput } from '@crucible/foundation';

const hostAndPort = /^(?:dns:\/\/\/)?(?:\[(?<ipv6>[\da-f:.]+)\]|(?<host>[\w.-]+)):(?<port>\d{1,5})$/i;
const otherScheme = /^(?:unix:|ipv4:|ipv6:)./;

/** grpc-js takes almost any text for a name, and then fails to find it call by call. */
export function assertTarget(target: string): void {
  const port = Number(hostAndPort.exec(target)?.groups?.['port'] ?? NaN);
  if (otherScheme.test(target) || (port >= 1 && port <= 65_535)) return;
  throw invalidInput(
    `target: ${JSON.stringify(target)} is none of host:port, dns:///host:port, ipv4:address:port,…, unix:/path`,
    { at: 'target' },
  );
}

/** Whether the target names its server by an IP address. */
export function isAddress(target: string): boolean {
  const { ipv6, host } = hostAndPort.exec(target)?.groups ?? {};
  return isIP(ipv6 ?? host ?? '') !== 0 || /^ipv[46]:/.test(target);
}

/** `host:port`, with an IPv6 address in brackets. */
export function targetFrom(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
