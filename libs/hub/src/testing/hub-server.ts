/** A hub on loopback that speaks as much of the hub's HTTP as downloads need, and can be told to fail. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface HubFile {
  readonly content: Buffer;
  /** Large files are kept elsewhere, and have a SHA-256. */
  readonly lfs?: boolean;
}

export interface HubBehaviour {
  /** Asked of every call but those to where large files are kept. */
  token?: string;
  /** Statuses that the next downloads answer with, before they succeed. */
  failures: number[];
  /** Bytes after which the next downloads of large files lose their connection. */
  cuts: number[];
  ignoresRanges: boolean;
  /** Content that large files have where they are kept, in the place of their own. */
  forged: Map<string, Buffer>;
  /** Paths that are listed beside the files. */
  listed: string[];
}

export interface TestHub {
  readonly endpoint: string;
  readonly behaviour: HubBehaviour;
  /** `METHOD PATH RANGE AUTHORIZATION` of every call. */
  readonly calls: string[];
}

export const commit = 'a'.repeat(40);

/** Serves one repository; listings come in pages of two files. */
export async function startHub(repo: string, files: Readonly<Record<string, HubFile>>): Promise<TestHub> {
  const behaviour: HubBehaviour = { failures: [], cuts: [], ignoresRanges: false, forged: new Map(), listed: [] };
  const calls: string[] = [];
  // Where large files are kept is another host, to which no token may go.
  const [hub, store] = await Promise.all([listen(), listen()]);

  hub.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, hub.origin);
    note(calls, 'hub', request);
    if (behaviour.token !== undefined && request.headers.authorization !== `Bearer ${behaviour.token}`) {
      json(response, 401, { error: 'Invalid username or password.' });
      return;
    }
    const path = decodeURIComponent(url.pathname);
    const revisions = ['main', commit];
    if (path.startsWith(`/api/models/${repo}/revision/`) && revisions.includes(path.split('/').at(-1)!)) {
      json(response, 200, {
        _id: '1',
        id: repo,
        sha: commit,
        private: false,
        downloads: 0,
        likes: 0,
        gated: false,
        lastModified: '2026-11-01T00:00:00.000Z',
      });
    } else if (path === `/api/models/${repo}/tree/${commit}`) {
      list(response, url);
    } else if (path.startsWith(`/${repo}/resolve/${commit}/`)) {
      resolve(request, response, path.slice(`/${repo}/resolve/${commit}/`.length));
    } else {
      json(response, 404, { error: 'Repository not found' }, { 'x-error-code': 'RepoNotFound' });
    }
  });

  store.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    note(calls, 'store', request);
    const name = decodeURIComponent(request.url!.slice(1));
    const content = behaviour.forged.get(name) ?? files[name]!.content;
    send(request, response, content, {}, request.headers.range === 'bytes=0-0' ? undefined : behaviour.cuts.shift());
  });

  function list(response: ServerResponse, url: URL): void {
    const page = Number(url.searchParams.get('cursor') ?? 0);
    const entries = [
      ...Object.entries(files).map(([path, { content, lfs }]) => ({
        type: 'file',
        path,
        size: content.length,
        oid: gitId(lfs ? Buffer.from('a pointer') : content),
        ...(lfs && { lfs: { oid: sha256(content), size: content.length, pointerSize: 134 } }),
      })),
      ...behaviour.listed.map((path) => ({ type: 'file', path, size: 1, oid: gitId(Buffer.from('x')) })),
      { type: 'directory', path: 'onnx', size: 0, oid: '0'.repeat(40) },
    ];
    const next = new URL(url);
    next.searchParams.set('cursor', String(page + 2));
    json(
      response,
      200,
      entries.slice(page, page + 2),
      page + 2 < entries.length ? { link: `<${next.href}>; rel="next"` } : {},
    );
  }

  function resolve(request: IncomingMessage, response: ServerResponse, path: string): void {
    const file = files[path];
    if (!file) {
      json(response, 404, { error: 'Entry not found' }, { 'x-error-code': 'EntryNotFound' });
      return;
    }
    const failure = behaviour.failures.shift();
    if (failure !== undefined) {
      json(response, failure, { error: 'not now' });
      return;
    }
    const { content, lfs } = file;
    if (lfs) {
      response.writeHead(302, {
        location: `${store.origin}/${encodeURIComponent(path)}`,
        'x-linked-etag': `"${sha256(content)}"`,
        'x-linked-size': String(content.length),
      });
      response.end();
    } else {
      send(request, response, content, { etag: `"${gitId(content)}"` }, undefined);
    }
  }

  /** A file or a range of it; after `cut` bytes the connection is lost. */
  function send(
    request: IncomingMessage,
    response: ServerResponse,
    content: Buffer,
    headers: Record<string, string>,
    cut: number | undefined,
  ): void {
    const range = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? '');
    const isProbe = request.headers.range === 'bytes=0-0';
    const whole = !range || (behaviour.ignoresRanges && !isProbe);
    const [start, end] = whole
      ? [0, content.length]
      : [Number(range[1]), Math.min(content.length, Number(range[2] ?? content.length) + 1)];
    const part = content.subarray(start, end);
    response.writeHead(whole ? 200 : 206, {
      etag: `"${sha256(content)}"`,
      ...headers,
      'content-length': String(part.length),
      ...(!whole && { 'content-range': `bytes ${start}-${end - 1}/${content.length}` }),
    });
    if (cut === undefined || cut >= part.length) response.end(part);
    else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
  }

  return { endpoint: hub.origin, behaviour, calls };
}

async function listen() {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function note(calls: string[], host: string, { method, url, headers }: IncomingMessage): void {
  calls.push(`${host} ${method} ${url} ${headers.range ?? '-'} ${headers.authorization ?? '-'}`);
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function gitId(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
