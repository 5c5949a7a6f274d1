import { type Server, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NetworkGuard } from './guard.ts';

/** A server that counts who comes; on an address of loopback of one's choice. */
async function listen(host: string, port = 0): Promise<{ port: number; seen: () => number }> {
  let seen = 0;
  const server: Server = createServer((socket) => {
    seen++;
    socket.on('error', () => undefined).end();
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as { port: number }).port, seen: () => seen };
}

describe('NetworkGuard.parseUrl', () => {
  const guard = new NetworkGuard();

  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://2130706433/',
    'http://017700000001/',
    'http://0/',
    'http://①②⑦.⓪.⓪.①/',
    'http://127。0。0。1/',
    'http://127.0.0.1./',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0::fFFf:7F00:0001]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://169.254.169.254/latest/meta-data/',
    'https://10.0.0.1/',
  ])('refuses %s', (url) => {
    expect(() => guard.parseUrl(url)).toThrow('is not a public address');
  });

  it.each([
    ['file:///etc/passwd', 'file: is not allowed; http: and https: are'],
    ['javascript:alert(1)', 'javascript: is not allowed; http: and https: are'],
    ['data:text/html,x', 'data: is not allowed; http: and https: are'],
    ['ftp://example.org/', 'ftp: is not allowed; http: and https: are'],
    ['chrome://settings', 'chrome: is not allowed; http: and https: are'],
    ['http://user:secret@example.org/', 'a URL with a user or a password is not allowed'],
    ['http://example.org:22/', 'port 22 of example.org is not allowed; allowed: 80, 443'],
  ])('refuses %s: %s', (url, message) => {
    expect(() => guard.parseUrl(url)).toThrow(expect.objectContaining({ code: 'permission-denied', message }) as Error);
  });

  it('says what is no URL', () => {
    expect(() => guard.parseUrl('example')).toThrow('"example" is not a URL like https://example.org/page');
    expect(() => guard.parseUrl(`http://e/${'a'.repeat(9000)}`)).toThrow('at most 8192 are allowed');
  });

  it('lets only the hosts pass that are listed', () => {
    const only = new NetworkGuard({ hosts: ['Example.org', '*.wiki.test'] });
    expect(only.parseUrl('https://example.org/a').href).toBe('https://example.org/a');
    expect(only.parseUrl('https://en.wiki.test/').hostname).toBe('en.wiki.test');
    expect(only.parseUrl('https://wiki.test/').hostname).toBe('wiki.test');
    for (const url of ['https://a.example.org/', 'https://evilwiki.test/', 'https://example.org.evil.test/'])
      expect(() => only.parseUrl(url)).toThrow('is not allowed; allowed: example.org, *.wiki.test');
  });

  it('names a wrong policy', () => {
    expect(() => new NetworkGuard({ ports: [70_000] })).toThrow('ports: 70000 is not a port, 1 to 65535');
    expect(() => new NetworkGuard({ addresses: ['localhost:80'] })).toThrow('addresses: "localhost:80" is not');
    expect(() => new NetworkGuard({ addresses: ['::1:80'] })).toThrow('addresses: "::1:80" is not');
    expect(() => new NetworkGuard({ hosts: ['a/b'] })).toThrow('"a/b" is not the name of a host');
  });
});

describe('NetworkGuard.connect', () => {
  it('never connects to a name of this machine', async () => {
    const { port, seen } = await listen('127.0.0.1');
    const guard = new NetworkGuard({ ports: [port] });
    for (const host of ['localhost', 'localhost.', '127.1', '127.0.0.1', '[::ffff:127.0.0.1]', '::ffff:7f00:1'])
      await expect(guard.connect(host, port)).rejects.toMatchObject({
        code: 'permission-denied',
        message: expect.stringContaining('is not a public address') as string,
      });
    expect(seen()).toBe(0);
  });

  it('refuses a name as soon as one of its addresses is not public', async () => {
    const guard = new NetworkGuard({ resolve: () => Promise.resolve(['8.8.8.8', '169.254.169.254']) });
    await expect(guard.connect('mixed.test', 443)).rejects.toThrow('mixed.test is not a public address, or has one');
  });

  it('resolves once and connects to the address it has checked', async () => {
    const good = await listen('127.0.0.1');
    const bad = await listen('127.0.0.2', good.port);
    let answers = 0;
    const guard = new NetworkGuard({
      addresses: [`127.0.0.1:${good.port}`],
      // What a name server does that rebinds: first harmless, then not.
      resolve: () => Promise.resolve(answers++ === 0 ? ['127.0.0.1'] : ['127.0.0.2']),
    });
    const socket = await guard.connect('rebind.test', good.port);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
    expect(answers).toBe(1);
    await expect(guard.connect('rebind.test', good.port)).rejects.toMatchObject({ code: 'permission-denied' });
    expect([good.seen(), bad.seen()]).toEqual([1, 0]);
  });

  it('allows an address with its port alone', async () => {
    const one = await listen('127.0.0.1');
    const other = await listen('127.0.0.1');
    const guard = new NetworkGuard({ addresses: [`127.0.0.1:${one.port}`] });
    (await guard.connect('127.0.0.1', one.port)).destroy();
    await expect(guard.connect('127.0.0.1', other.port)).rejects.toThrow('is not allowed; allowed: 80, 443');
    const strange = new NetworkGuard({
      addresses: [`127.0.0.1:${one.port}`],
      resolve: () => Promise.resolve(['9.9.9.9']),
    });
    await expect(strange.connect('public.test', one.port)).rejects.toThrow(
      `port ${one.port} of public.test is not allowed`,
    );
  });

  it('gives up a name server that does not answer, at the deadline or when cancelled', async () => {
    const silent = (): Promise<never> => new Promise(() => undefined);
    await expect(
      new NetworkGuard({ resolve: silent, connectTimeout: 20 }).connect('slow.test', 80),
    ).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: 'slow.test:80: no connection within 20 ms',
    });
    const controller = new AbortController();
    const waiting = new NetworkGuard({ resolve: silent }).connect('slow.test', 80, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('says when nobody listens and when there is no such host', async () => {
    const { port } = await listen('127.0.0.1');
    const guard = new NetworkGuard({ addresses: [`127.0.0.3:${port}`] });
    await expect(guard.connect('127.0.0.3', port)).rejects.toMatchObject({
      code: 'unavailable',
      message: `127.0.0.3:${port}: nobody listens there`,
    });
    const empty = new NetworkGuard({ resolve: () => Promise.resolve([]) });
    await expect(empty.connect('nothing.test', 80)).rejects.toThrow('nothing.test has no address');
  });
});
