/** HTTP by the guard: `fetch` as one knows it, and a reader that is bounded in size, time and redirects. */
import type { Socket } from 'node:net';
import { Agent, type Response, buildConnector, fetch } from 'undici';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { NetworkGuard } from './guard.ts';

export interface GuardedClient extends AsyncDisposable {
  /** Every connection of it, those of redirects too, passes the guard. Its schemes are http and https. */
  readonly fetch: typeof globalThis.fetch;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Of the body as it is after decompression, in bytes. Default 4 MiB. */
  readonly mostBytes?: number;
  /** Until the last byte, redirects and all, in ms. Default 20,000. */
  readonly timeout?: number;
  /** Default 5. */
  readonly mostRedirects?: number;
}

export interface PageRead {
  /** Where the redirects ended. */
  readonly url: string;
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The body was longer; this is its beginning. */
  readonly cut: boolean;
}

const redirects = new Set([301, 302, 303, 307, 308]);

export function createGuardedClient(guard: NetworkGuard): GuardedClient {
  const dispatcher = new Agent({
    connect: guardedConnector(guard),
    allowH2: false,
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
    keepAliveTimeout: 4000,
  });
  const guarded = ((input: Parameters<typeof fetch>[0], init?: Parameters<typeof fetch>[1]) =>
    fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
  const close = (): Promise<void> => dispatcher.destroy();
  return { fetch: guarded, close, [Symbol.asyncDispose]: close };
}

/** Reads a page by GET. Whatever the status is, it is an answer; errors are those of the way there. */
export async function readPage(
  guard: NetworkGuard,
  client: GuardedClient,
  address: string,
  options: ReadOptions,
): Promise<PageRead> {
  const { signal, mostBytes = 4 * 2 ** 20, timeout = 20_000, mostRedirects = 5 } = options;
  const late = AbortSignal.timeout(timeout);
  let url = guard.parseUrl(address);
  try {
    for (let hop = 0; ; hop++) {
      const response = await client.fetch(url, {
        redirect: 'manual',
        signal: AbortSignal.any([signal, late]),
        headers: { accept: 'text/html, application/json;q=0.9, text/*;q=0.8, */*;q=0.1', 'user-agent': 'crucible' },
      });
      const location = redirects.has(response.status) ? response.headers.get('location') : null;
      if (location === null) {
        const { body, cut } = await readBody(response, mostBytes);
        const contentType = response.headers.get('content-type') ?? '';
        return { url: url.href, status: response.status, contentType, body, cut };
      }
      await response.body?.cancel();
      if (hop === mostRedirects)
        throw new CrucibleError('resource-exhausted', `${address} redirects more than ${mostRedirects} times`);
      const next = URL.parse(location, url);
      if (next === null) throw invalidInput(`${url.href} redirects to "${location}", which is no URL`, { at: 'url' });
      url = guard.parseUrl(next.href);
    }
  } catch (reason) {
    throw fetchError(url.href, reason, { signal, late, timeout });
  }
}

/** Not more than is wanted is decompressed, however much the few bytes on the wire would come to. */
async function readBody(
  response: Response,
  mostBytes: number,
): Promise<{ readonly body: Uint8Array; readonly cut: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
    // Leaving the loop cancels the rest.
    if (size > mostBytes) break;
  }
  return { body: new Uint8Array(Buffer.concat(chunks).subarray(0, mostBytes)), cut: size > mostBytes };
}

function guardedConnector(guard: NetworkGuard): buildConnector.connector {
  const secure = buildConnector({ timeout: 10_000 });
  return (options, callback) => {
    const isSecure = options.protocol === 'https:';
    const port = options.port ? Number(options.port) : isSecure ? 443 : 80;
    guard.connect(options.hostname, port).then(
      (socket: Socket) => {
        if (isSecure) secure({ ...options, httpSocket: socket }, callback);
        else callback(null, socket);
      },
      (reason: unknown) => callback(reason as Error, null),
    );
  };
}

function fetchError(
  url: string,
  reason: unknown,
  ends: { readonly signal: AbortSignal; readonly late: AbortSignal; readonly timeout: number },
): CrucibleError {
  if (ends.signal.aborted) return new CrucibleError('cancelled', `${url}: cancelled`, { cause: reason });
  if (ends.late.aborted)
    return new CrucibleError('deadline-exceeded', `${url}: not read within ${ends.timeout} ms`, { cause: reason });
  // fetch wraps what went wrong, sometimes twice.
  for (let cause = reason; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof CrucibleError) return cause;
    if (cause.cause === undefined)
      return new CrucibleError('unavailable', `${url}: ${cause.message}`, { cause: reason });
  }
  return new CrucibleError('unavailable', `${url}: ${String(reason)}`, { cause: reason });
}
