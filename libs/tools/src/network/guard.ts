/**
 * The one way out: whatever a tool asks for, the connection is made here. A name is resolved once, every address of the
 * answer is checked, and the connection goes to one of these very addresses; so it does not matter how an address was
 * spelled, where a redirect leads, or what the name server says next.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, type Socket, connect, isIP, isIPv6 } from 'node:net';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { isPublicAddress } from './address.ts';

export interface NetworkPolicy {
  /** Ports that may be connected to. Default: 80 and 443. */
  readonly ports?: readonly number[];
  /** The only hosts: `example.org`, or `*.example.org` for it and all below it. Default: every public one. */
  readonly hosts?: readonly string[];
  /**
   * Addresses with their ports that may be reached although they are not public, or the port is not among `ports`:
   * `10.1.2.3:8080`, `[fd00::1]:443`. Default: none.
   */
  readonly addresses?: readonly string[];
  /** The addresses of a name. Default: what the system says. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** To resolve a name and connect, in ms. Default 10,000. */
  readonly connectTimeout?: number;
}

/** Of one answer; the rest is not tried. */
const mostAddresses = 8;
const longestUrl = 8192;
const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

export class NetworkGuard {
  readonly #ports: ReadonlySet<number>;
  readonly #hosts: readonly string[] | undefined;
  readonly #exceptions = new Map<number, BlockList>();
  readonly #resolve: (host: string) => Promise<readonly string[]>;
  readonly #connectTimeout: number;

  constructor(policy: NetworkPolicy = {}) {
    const { ports = [80, 443], hosts, addresses = [], resolve = systemAddresses, connectTimeout = 10_000 } = policy;
    for (const port of ports)
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        throw invalidInput(`ports: ${port} is not a port, 1 to 65535`, { at: 'ports' });
    if (!(connectTimeout > 0))
      throw invalidInput(`connectTimeout: ${connectTimeout} is not above 0 ms`, { at: 'connectTimeout' });
    this.#ports = new Set(ports);
    this.#hosts = hosts?.map(parsePattern);
    for (const text of addresses) {
      const { address, port } = parseAddress(text);
      const list = this.#exceptions.get(port) ?? new BlockList();
      list.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4');
      this.#exceptions.set(port, list);
    }
    this.#resolve = resolve;
    this.#connectTimeout = connectTimeout;
  }

  /**
   * A URL that may be asked for, as far as can be said without its addresses. `invalid-input` for what is no HTTP URL,
   * `permission-denied` for what is not allowed.
   */
  parseUrl(text: string): URL {
    if (text.length > longestUrl)
      throw invalidInput(`the URL has ${text.length} characters; at most ${longestUrl} are allowed`, { at: 'url' });
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw invalidInput(`"${text}" is not a URL like https://example.org/page`, { at: 'url' });
    }
    const port = url.port === '' ? defaultPorts[url.protocol] : Number(url.port);
    if (port === undefined)
      throw new CrucibleError('permission-denied', `${url.protocol} is not allowed; http: and https: are`, {
        at: 'url',
      });
    if (url.username !== '' || url.password !== '')
      throw new CrucibleError('permission-denied', 'a URL with a user or a password is not allowed', { at: 'url' });
    this.#check(bareHost(url.hostname), port);
    return url;
  }

  /** A connection to that host, to an address that was checked. `host`: a name or an address, with or without `[]`. */
  async connect(host: string, port: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Socket> {
    const late = AbortSignal.timeout(this.#connectTimeout);
    const ends = signal ? AbortSignal.any([signal, late]) : late;
    const target = `${host}:${port}`;
    try {
      const addresses = await abortable(this.#addressesOf(bareHost(host), port), ends);
      return await connectTo(addresses, port, ends);
    } catch (reason) {
      if (signal?.aborted) throw new CrucibleError('cancelled', `${target}: cancelled`, { cause: reason });
      if (late.aborted)
        throw new CrucibleError('deadline-exceeded', `${target}: no connection within ${this.#connectTimeout} ms`, {
          cause: reason,
        });
      if (reason instanceof CrucibleError) throw reason;
      throw new CrucibleError('unavailable', `${target}: ${connectFailure(reason as NodeJS.ErrnoException)}`, {
        cause: reason,
      });
    }
  }

  async #addressesOf(host: string, port: number): Promise<readonly string[]> {
    this.#check(host, port);
    if (isIP(host) !== 0) return [host];
    const addresses = await this.#resolve(host);
    if (addresses.length === 0) throw new CrucibleError('not-found', `${host} has no address`);
    for (const address of addresses) this.#checkAddress(address, host, port);
    return addresses.slice(0, mostAddresses);
  }

  #check(host: string, port: number): void {
    if (!this.#ports.has(port) && !this.#exceptions.has(port))
      throw refused(`port ${port} of ${host} is not allowed; allowed: ${[...this.#ports].join(', ')}`);
    if (isIP(host) !== 0) this.#checkAddress(host, host, port);
    if (this.#hosts && !this.#hosts.some((pattern) => matches(pattern, host)))
      throw refused(`the host ${host} is not allowed; allowed: ${this.#hosts.join(', ')}`);
  }

  #checkAddress(address: string, host: string, port: number): void {
    if (this.#exceptions.get(port)?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return;
    // Which address it is, is nobody's business who asks from outside.
    if (!isPublicAddress(address)) throw refused(`${host} is not a public address, or has one that is not`);
    if (!this.#ports.has(port)) throw refused(`port ${port} of ${host} is not allowed`);
  }
}

function refused(message: string): CrucibleError {
  return new CrucibleError('permission-denied', message, { at: 'url' });
}

/** As WHATWG URLs have it, so that `127.1` or `0x7f.1` is an address here too. */
function bareHost(host: string): string {
  const bracketed = isIPv6(host) ? `[${host}]` : host;
  let { hostname } = URL.parse(`http://${bracketed}/`) ?? { hostname: '' };
  if (hostname === '' || /[/?#@\\]/.test(host))
    throw invalidInput(`"${host}" is not the name of a host`, { at: 'url' });
  if (hostname.startsWith('[')) hostname = hostname.slice(1, -1);
  return hostname.replace(/\.$/, '');
}

function parsePattern(text: string): string {
  const host = bareHost(text.startsWith('*.') ? text.slice(2) : text);
  return text.startsWith('*.') ? `*.${host}` : host;
}

function matches(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return host === pattern;
  return host === pattern.slice(2) || host.endsWith(pattern.slice(1));
}

function parseAddress(text: string): { readonly address: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  const port = Number(digits);
  if (isIP(address) !== (bracketed === undefined ? 4 : 6) || port < 1 || port > 65_535)
    throw invalidInput(`addresses: "${text}" is not ADDRESS:PORT like 10.1.2.3:8080 or [fd00::1]:443`, {
      at: 'addresses',
    });
  return { address, port };
}

async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** The first that answers, as Node tries them (RFC 8305). */
function connectTo(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  const answer = addresses.map((address) => ({ address, family: isIP(address) }));
  return new Promise((resolve, reject) => {
    // The host is a stand-in: Node asks `lookup` for what was checked already.
    const socket = connect({
      host: 'checked.invalid',
      port,
      autoSelectFamily: true,
      lookup: (_host, options, callback) => {
        if (options.all) callback(null, answer);
        else callback(null, answer[0]!.address, answer[0]!.family);
      },
    });
    const leave = (): void => void socket.destroy(signal.reason as Error);
    socket.once('error', reject);
    socket.once('close', () => signal.removeEventListener('abort', leave));
    socket.once('connect', () => {
      signal.removeEventListener('abort', leave);
      socket.off('error', reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

function connectFailure(reason: NodeJS.ErrnoException): string {
  switch (reason.code) {
    case 'ENOTFOUND':
      return 'there is no such host';
    case 'EAI_AGAIN':
      return 'the name server does not answer';
    case 'ECONNREFUSED':
      return 'nobody listens there';
    default:
      return `no connection (${reason.code ?? reason.message})`;
  }
}
