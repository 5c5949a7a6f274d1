/**
 * A forward proxy on loopback that lets a browser out by the guard alone: requests of pages, frames and workers,
 * redirects, and tunnels for TLS and web sockets. What it refuses is noted, as a page cannot be trusted to say it.
 */
import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Duplex, Transform, pipeline } from 'node:stream';
import { CrucibleError } from '@crucible/foundation';
import type { NetworkGuard } from './guard.ts';

export interface GuardProxyOptions {
  /** Of all answers together, as they come over the wire; after that nothing is let through. Default 64 MiB. */
  readonly mostBytes?: number;
  /** A connection that is silent for so long is ended, in ms. Default 30,000. */
  readonly idleTimeout?: number;
  /** Connections at a time. Default 128. */
  readonly mostConnections?: number;
  readonly onRefused?: (refusal: Refusal) => void;
}

export interface Refusal {
  /** `http://host:port/…` or `host:port` of a tunnel, as it was asked for. */
  readonly target: string;
  readonly reason: CrucibleError;
}

export interface GuardProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

/** Of one connection, not of the message (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export async function startGuardProxy(guard: NetworkGuard, options: GuardProxyOptions = {}): Promise<GuardProxy> {
  const { mostBytes = 64 * 2 ** 20, idleTimeout = 30_000, mostConnections = 128, onRefused } = options;
  const closing = new AbortController();
  const open = new Set<Duplex>();
  let bytesLeft = mostBytes;

  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    socket.setTimeout(idleTimeout, () => socket.destroy());
  };
  const refuse = (target: string, reason: unknown): CrucibleError => {
    const error = CrucibleError.from(reason);
    if (!closing.signal.aborted) onRefused?.({ target, reason: error });
    return error;
  };
  const tooMuch = (): CrucibleError =>
    new CrucibleError('resource-exhausted', `more than ${mostBytes} bytes were asked for`);
  const metered = (target: string): Transform =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytesLeft -= chunk.length;
        if (bytesLeft < 0) done(refuse(target, tooMuch()));
        else done(null, chunk);
      },
    });
  const connectOut = async (host: string, port: number): Promise<Socket> => {
    if (bytesLeft <= 0) throw tooMuch();
    const socket = await guard.connect(host, port, { signal: closing.signal });
    keep(socket);
    return socket;
  };

  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = incoming.url ?? '';
    let url: URL;
    let socket: Socket;
    try {
      url = guard.parseUrl(target);
      // https goes through tunnels; a proxy that spoke it would see what it must not.
      if (url.protocol !== 'http:') throw new CrucibleError('permission-denied', `${url.protocol} is not forwarded`);
      socket = await connectOut(url.hostname, url.port === '' ? 80 : Number(url.port));
    } catch (reason) {
      const error = refuse(target, reason);
      response.writeHead(statusOf(error), { 'content-type': 'text/plain', connection: 'close' }).end(error.message);
      return;
    }
    const outgoing = request({
      createConnection: () => socket,
      method: incoming.method ?? 'GET',
      path: url.pathname + url.search,
      headers: { ...endToEnd(incoming), host: url.host, connection: 'close' },
      setHost: false,
    });
    outgoing.on('error', () => response.destroy());
    outgoing.on('upgrade', (_answer, upgraded) => upgraded.destroy());
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer));
      pipeline(answer, metered(target), response, () => socket.destroy());
    });
    response.on('close', () => socket.destroy());
    pipeline(incoming, outgoing, () => undefined);
  };

  const tunnel = async (incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> => {
    const target = incoming.url ?? '';
    let socket: Socket;
    try {
      const [, host, port] = /^(.+):(\d{1,5})$/.exec(target) ?? [];
      if (host === undefined) throw new CrucibleError('invalid-input', `"${target}" is not HOST:PORT`);
      socket = await connectOut(host, Number(port));
    } catch (reason) {
      const error = refuse(target, reason);
      client.end(`HTTP/1.1 ${statusOf(error)} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    if (client.destroyed) return void socket.destroy();
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.write(head);
    pipeline(client, socket, () => socket.destroy());
    pipeline(socket, metered(target), client, () => client.destroy());
  };

  const server = createServer({ maxHeaderSize: 32 * 1024, requestTimeout: 60_000 });
  server.maxConnections = mostConnections;
  server.on('connection', keep);
  server.on('request', (incoming, response) => void forward(incoming, response));
  server.on('connect', (incoming, client, head) => void tunnel(incoming, client, head));
  // Browsers tunnel web sockets.
  server.on('upgrade', (_incoming, client: Duplex) => client.end('HTTP/1.1 501 Not forwarded\r\n\r\n'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  const close = async (): Promise<void> => {
    closing.abort();
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await ended;
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}

function endToEnd(message: IncomingMessage): OutgoingHttpHeaders {
  const named = (message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(message.headersDistinct).filter(([name]) => !hopByHop.has(name) && !named.includes(name)),
  );
}

function statusOf({ code }: CrucibleError): number {
  switch (code) {
    case 'permission-denied':
      return 403;
    case 'invalid-input':
      return 400;
    case 'deadline-exceeded':
      return 504;
    default:
      return 502;
  }
}
