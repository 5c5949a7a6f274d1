import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetworkGuard } from './guard.ts';
import { type GuardedClient, type ReadOptions, createGuardedClient, readPage } from './guarded-fetch.ts';

const signal = new AbortController().signal;
let port: number;
let guard: NetworkGuard;
let client: GuardedClient;
const asked: string[] = [];
const bomb = gzipSync(Buffer.alloc(128 * 2 ** 20));
const twice = brotliCompressSync(bomb);

const server = createServer((request, response) => {
  asked.push(request.url!);
  const url = new URL(request.url!, 'http://site.test');
  const redirect = (location: string) => response.writeHead(302, { location }).end('moved');
  switch (url.pathname) {
    case '/text':
      return void response.writeHead(200, { 'content-type': 'text/plain' }).end('hello');
    case '/missing':
      return void response.writeHead(404, { 'content-type': 'text/plain' }).end('none');
    case '/to':
      return void redirect(url.searchParams.get('url')!);
    case '/loop':
      return void redirect('/loop');
    case '/gzip':
      return void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed'));
    case '/bomb':
      return void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    case '/bombs':
      return void response.writeHead(200, { 'content-encoding': 'gzip, br' }).end(twice);
    case '/endless': {
      const more = setInterval(() => response.write('x'.repeat(1000)), 1);
      return void response.on('close', () => clearInterval(more));
    }
    case '/drip': {
      response.write('a');
      return;
    }
    case '/broken':
      response.write('half');
      return void setTimeout(() => response.destroy(), 20);
    case '/headers':
      return void response.writeHead(200, { 'x-big': 'x'.repeat(100_000) }).end();
    default:
      return;
  }
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
  guard = new NetworkGuard({
    addresses: [`127.0.0.1:${port}`],
    resolve: (host) => Promise.resolve([host === 'evil.test' ? '127.0.0.2' : '127.0.0.1']),
  });
  client = createGuardedClient(guard);
});
afterAll(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
});

const read = (path: string, options: Partial<ReadOptions> = {}): ReturnType<typeof readPage> =>
  readPage(guard, client, `http://site.test:${port}${path}`, { signal, ...options });
const textOf = ({ body }: { body: Uint8Array }): string => new TextDecoder().decode(body);

describe('readPage()', () => {
  it('reads a page, whatever its status is', async () => {
    const page = await read('/text');
    expect(page).toMatchObject({
      url: `http://site.test:${port}/text`,
      status: 200,
      contentType: 'text/plain',
      cut: false,
    });
    expect(textOf(page)).toBe('hello');
    expect(await read('/missing')).toMatchObject({ status: 404, cut: false });
    expect(textOf(await read('/gzip'))).toBe('packed');
  });

  it('follows redirects and says where they ended', async () => {
    const page = await read(`/to?url=/to?url=/text`);
    expect(page.url).toBe(`http://site.test:${port}/text`);
  });

  it.each([
    'http://127.0.0.1:9/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]/',
    'http://2130706433/',
    'http://localhost/',
  ])('does not follow a redirect to %s', async (target) => {
    await expect(read(`/to?url=${encodeURIComponent(target)}`)).rejects.toMatchObject({ code: 'permission-denied' });
  });

  it('does not follow a redirect to a name that resolves to an address which is not allowed', async () => {
    asked.length = 0;
    await expect(read(`/to?url=http://evil.test:${port}/text`)).rejects.toMatchObject({
      code: 'permission-denied',
      message: 'evil.test is not a public address, or has one that is not',
    });
    expect(asked).toHaveLength(1);
  });

  it.each(['file:///etc/passwd', 'data:text/plain,x', 'javascript:1'])(
    'does not follow a redirect to %s',
    async (url) => {
      await expect(read(`/to?url=${encodeURIComponent(url)}`)).rejects.toMatchObject({ code: 'permission-denied' });
    },
  );

  it('stops after so many redirects', async () => {
    asked.length = 0;
    await expect(read('/loop')).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: `http://site.test:${port}/loop redirects more than 5 times`,
    });
    expect(asked).toHaveLength(6);
  });

  it.each(['/bomb', '/bombs', '/endless'])('takes the beginning of what is too long: %s', async (path) => {
    const before = process.memoryUsage().arrayBuffers;
    const page = await read(path, { mostBytes: 50_000 });
    expect(page).toMatchObject({ cut: true, body: expect.objectContaining({ length: 50_000 }) as Uint8Array });
    // The bomb would come to 128 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 2 ** 20);
  });

  it('gives up at the deadline and when cancelled', async () => {
    await expect(read('/drip', { timeout: 100 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: `http://site.test:${port}/drip: not read within 100 ms`,
    });
    await expect(read('/never', { timeout: 100 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
    const controller = new AbortController();
    const waiting = read('/never', { signal: controller.signal });
    await sleep(20);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('names a connection that breaks and headers without end', async () => {
    await expect(read('/broken')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(read('/headers')).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('createGuardedClient()', () => {
  it('checks the redirects that fetch follows by itself', async () => {
    const target = encodeURIComponent(`http://evil.test:${port}/text`);
    await expect(client.fetch(`http://site.test:${port}/to?url=${target}`)).rejects.toMatchObject({
      cause: { code: 'permission-denied' },
    });
    expect(await (await client.fetch(`http://site.test:${port}/text`)).text()).toBe('hello');
  });

  it('does not let a tunnel of TLS through to a private address', async () => {
    await expect(client.fetch('https://127.0.0.1/')).rejects.toMatchObject({ cause: { code: 'permission-denied' } });
  });
});
