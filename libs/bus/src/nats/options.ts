import { readFileSync } from 'node:fs';
import { credsAuthenticator } from '@nats-io/transport-node';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { assertBetween, assertInteger } from '../delivery-options.ts';
import { duplicateWindow } from '../transport.ts';

export interface NatsBusOptions {
  /** One URL or several of one cluster: `nats://[user:password@]host[:port]`, or `tls://…` to insist on TLS. */
  readonly servers: string | readonly string[];
  /** What the server's monitoring shows; `crucible` by default. */
  readonly name?: string;
  /** Instead of user and password in the URL. */
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  /** A credentials file (`.creds`: JWT and seed); read again at every connect. */
  readonly credsFile?: string;
  /** Files in PEM format. With a certificate and its key, the client shows who it is. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** How long to try to connect at the start, in ms; 10,000 by default. Later, it is tried without end. */
  readonly connectDeadline?: number;
  /** How long `close()` waits for running handlers, in ms; 10,000 by default. */
  readonly drainDeadline?: number;

  // The streams are made with what follows; on streams that exist, only what is given here is changed.

  /** Copies of each stream in a cluster: 1, 3 or 5; 1 by default. */
  readonly replicas?: number;
  /** Events older than this are removed, in ms; 7 days by default. */
  readonly maxAge?: number;
  /** Beyond this many bytes the oldest events are removed; 1 GiB by default. */
  readonly maxBytes?: number;
  /** Beyond this many bytes of work that is not done, publishing more of it is refused; 256 MiB by default. */
  readonly maxWorkBytes?: number;
}

export interface ResolvedNatsBusOptions {
  /** For messages: without credentials. */
  readonly where: string;
  /** `host:port` each. */
  readonly servers: readonly string[];
  readonly connection: NodeConnectionOptions;
  readonly connectDeadline: number;
  readonly drainDeadline: number;
  /** Undefined where the caller left it open. */
  readonly streams: {
    readonly replicas: number | undefined;
    readonly maxAge: number | undefined;
    readonly maxBytes: number | undefined;
    readonly maxWorkBytes: number | undefined;
  };
}

export function resolveNatsBusOptions(options: NatsBusOptions): ResolvedNatsBusOptions {
  const urls = [options.servers].flat().map(parseServer);
  const first = urls[0];
  if (first === undefined) throw invalidInput('servers is empty; it must name at least one', { at: 'servers' });
  const { name = 'crucible', connectDeadline = 10_000, drainDeadline = 10_000 } = options;
  const { replicas, maxAge, maxBytes, maxWorkBytes } = options;
  assertBetween('connectDeadline', connectDeadline, 1, 3_600_000);
  assertBetween('drainDeadline', drainDeadline, 0, 3_600_000);
  if (replicas !== undefined && ![1, 3, 5].includes(replicas))
    throw invalidInput(`replicas is ${replicas}; it must be 1, 3 or 5`, { at: 'replicas' });
  if (maxAge !== undefined) assertBetween('maxAge', maxAge, duplicateWindow, Number.MAX_SAFE_INTEGER);
  if (maxBytes !== undefined) assertInteger('maxBytes', maxBytes, 1 << 20, Number.MAX_SAFE_INTEGER);
  if (maxWorkBytes !== undefined) assertInteger('maxWorkBytes', maxWorkBytes, 1 << 20, Number.MAX_SAFE_INTEGER);
  const insistsOnTls = options.tls !== undefined || urls.some(({ scheme }) => scheme === 'tls');
  return {
    where: urls.map(({ scheme, host }) => `${scheme}://${host}`).join(','),
    servers: urls.map(({ host }) => host),
    connection: { name, ...credentialsFrom(options, first), ...(insistsOnTls ? { tls: { ...options.tls } } : {}) },
    connectDeadline,
    drainDeadline,
    streams: { replicas, maxAge, maxBytes, maxWorkBytes },
  };
}

interface ServerUrl {
  readonly scheme: 'nats' | 'tls';
  /** `host:port` */
  readonly host: string;
  readonly user: string;
  readonly pass: string;
}

function parseServer(text: string): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.slice(0, -1);
  if (
    url === undefined ||
    url.hostname === '' ||
    !(scheme === 'nats' || scheme === 'tls') ||
    !/^\/?$/.test(url.pathname)
  )
    throw invalidInput(
      `server ${JSON.stringify(withoutPassword(text))}: must be nats://HOST[:PORT] or tls://HOST[:PORT]`,
      {
        at: 'servers',
      },
    );
  return {
    scheme,
    host: `${url.hostname}:${url.port === '' ? 4222 : url.port}`,
    user: decodeURIComponent(url.username),
    pass: decodeURIComponent(url.password),
  };
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//…@');
}

/** One way of saying who one is; two are a mistake. */
function credentialsFrom(options: NatsBusOptions, url: ServerUrl): NodeConnectionOptions {
  const { user, pass, token, credsFile } = options;
  const ways: NodeConnectionOptions[] = [];
  // A lone name in the URL is a token, as everywhere in NATS.
  if (url.user !== '') ways.push(url.pass === '' ? { token: url.user } : { user: url.user, pass: url.pass });
  if (user !== undefined) ways.push({ user, pass: pass ?? '' });
  if (token !== undefined) ways.push({ token });
  if (credsFile !== undefined) {
    readCredentials(credsFile);
    ways.push({ authenticator: credsAuthenticator(() => readCredentials(credsFile)) });
  }
  if (ways.length > 1)
    throw invalidInput('credentials are given more than once; use one of the URL, user, token and credsFile', {
      at: 'servers',
    });
  return ways[0] ?? {};
}

function readCredentials(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (reason) {
    const { code, message } = CrucibleError.from(reason);
    throw new CrucibleError(code, `credsFile: ${message}`, { cause: reason, at: 'credsFile' });
  }
}
