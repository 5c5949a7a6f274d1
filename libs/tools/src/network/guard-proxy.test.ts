import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ProxyAgent, fetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { NetworkGuard, type NetworkPolicy } from './guard.ts';
import { type GuardProxyOptions, type Refusal, startGuardProxy } from './guard-proxy.ts';
import { createGuardedClient } from './guarded-fetch.ts';

async function listening(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A site, the proxy before it, and a client that goes through the proxy. */
async function start(options: GuardProxyOptions = {}, policy: NetworkPolicy = {}) {
  const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
  const site = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      if (request.url === '/big') response.end(Buffer.alloc(100_000));
      else if (request.url === '/silent') response.write('a');
      else if (request.url === '/gzip')
        response.writeHead(200, { 'content-encoding': 'gzip', 'set-cookie': ['a=1', 'b=2'] }).end(gzipSync('packed'));
      else response.end('hello');
    })();
  });
  const port = await listening(site);
  const refusals: Refusal[] = [];
  const guard = new NetworkGuard({
    addresses: [`127.0.0.1:${port}`],
    resolve: () => Promise.resolve(['127.0.0.1']),
    ...policy,
  });
  const proxy = await startGuardProxy(guard, { onRefused: (refusal) => refusals.push(refusal), ...options });
  // As browsers do it: only TLS is tunnelled.
  const agent = new ProxyAgent({ uri: proxy.url, proxyTunnel: false });
  onTestFinished(async () => {
    await agent.destroy();
    await proxy.close();
  });
  const get = (path: string, init = {}) =>
    fetch(path.startsWith('http') ? path : `http://site.test:${port}${path}`, { dispatcher: agent, ...init });
  return { port, proxy, seen, refusals, get };
}

/** What the proxy says to these bytes. */
async function say(proxyUrl: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(proxyUrl).port), '127.0.0.1');
  socket.setEncoding('latin1').write(bytes);
  let said = '';
  for await (const chunk of socket) {
    said += String(chunk);
    if (said.includes('\r\n\r\n')) break;
  }
  socket.destroy();
  return said;
}

describe('startGuardProxy()', () => {
  it('forwards a request with its body, without the headers of the connection', async () => {
    const { port, seen, get } = await start();
    const response = await get('/form?a=1', { method: 'POST', body: 'name=x', headers: { 'x-own': 'kept' } });
    expect([response.status, await response.text()]).toEqual([200, 'hello']);
    expect(seen).toMatchObject([{ method: 'POST', url: '/form?a=1', body: 'name=x' }]);
    expect(seen[0]!.headers).toMatchObject({ host: `site.test:${port}`, 'x-own': 'kept' });
    expect(Object.keys(seen[0]!.headers)).not.toContain('proxy-connection');
  });

  it('passes on what is packed as it is, and every cookie', async () => {
    const { get } = await start();
    const response = await get('/gzip');
    expect(await response.text()).toBe('packed');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('refuses what the guard refuses, and notes it', async () => {
    const { port, refusals, get, seen } = await start({}, { ports: [80, 443] });
    for (const url of [
      'http://127.0.0.1:80/',
      'http://169.254.169.254/latest',
      'http://[::1]:80/',
      'http://site.test:81/',
    ])
      expect((await get(url)).status).toBe(403);
    expect(refusals.map(({ target, reason }) => [new URL(target).hostname, reason.code])).toEqual([
      ['127.0.0.1', 'permission-denied'],
      ['169.254.169.254', 'permission-denied'],
      ['[::1]', 'permission-denied'],
      ['site.test', 'permission-denied'],
    ]);
    expect(seen).toEqual([]);
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  it('judges tunnels by the same rules, however the address is spelled', async () => {
    const { proxy, port, refusals } = await start();
    for (const target of [
      '127.0.0.1:443',
      '127.1:443',
      '0x7f000001:443',
      '[::1]:443',
      '[::ffff:7f00:1]:443',
      'site.test:443',
    ])
      expect(await say(proxy.url, `CONNECT ${target} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await say(proxy.url, 'CONNECT site.test:22 HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await say(proxy.url, 'CONNECT nonsense HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(refusals).toHaveLength(8);
    expect(await say(proxy.url, `CONNECT site.test:${port} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ['GET /etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['GET file:///etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n', 403],
    ['GET https://example.org/ HTTP/1.1\r\nhost: x\r\n\r\n', 403],
    ['GET http://u:p@example.org/ HTTP/1.1\r\nhost: x\r\n\r\n', 403],
    ['GET http://example.org/ HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', 501],
  ])('answers %j with %i', async (bytes, status) => {
    const { proxy } = await start();
    expect(await say(proxy.url, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('does not believe the host header over the address', async () => {
    const { proxy, port, seen } = await start();
    await say(proxy.url, `GET http://site.test:${port}/ HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n`);
    expect(seen[0]!.headers).toMatchObject({ host: `site.test:${port}` });
  });

  it('checks every answer of a name server', async () => {
    let answers = 0;
    const { get, port, refusals } = await start(
      {},
      {
        resolve: () => Promise.resolve([answers++ === 0 ? '127.0.0.1' : '127.0.0.2']),
      },
    );
    const victim = createServer((_request, response) => void response.end('secret'));
    await listening(victim, '127.0.0.2', port);
    expect((await get('/')).status).toBe(200);
    expect((await get('/')).status).toBe(403);
    expect(refusals).toMatchObject([{ reason: { code: 'permission-denied' } }]);
  });

  it('lets so many bytes through, and then nothing', async () => {
    const { get, refusals } = await start({ mostBytes: 150_000 });
    expect((await (await get('/big')).arrayBuffer()).byteLength).toBe(100_000);
    await expect(get('/big').then((response) => response.arrayBuffer())).rejects.toThrow();
    expect((await get('/')).status).toBe(502);
    expect(refusals.at(-1)!.reason).toMatchObject({
      code: 'resource-exhausted',
      message: 'more than 150000 bytes were asked for',
    });
  });

  it('ends a connection that is silent, and all when it is closed', async () => {
    const idle = await start({ idleTimeout: 50 });
    await expect(idle.get('/silent').then((response) => response.text())).rejects.toThrow();
    const { proxy, get } = await start();
    const waiting = get('/silent').then((response) => response.text());
    await sleep(50);
    await proxy.close();
    await expect(waiting).rejects.toThrow();
    await expect(get('/')).rejects.toThrow();
  });

  it('tunnels TLS, whose certificate is checked against the name', async ({ skip }) => {
    const folder = temporaryFolder();
    const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
    const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=site.test -addext subjectAltName=DNS:site.test -keyout ${files.key} -out ${files.cert}`;
    if (spawnSync('openssl', words.split(' ')).status !== 0) skip('openssl is missing, which makes the certificate');
    const [key, cert] = [readFileSync(files.key), readFileSync(files.cert)];
    const port = await listening(createTlsServer({ key, cert }, (_request, response) => void response.end('secure')));
    const guard = new NetworkGuard({
      addresses: [`127.0.0.1:${port}`],
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const proxy = await startGuardProxy(guard);
    const agent = new ProxyAgent({ uri: proxy.url, requestTls: { ca: cert } });
    onTestFinished(async () => {
      await agent.destroy();
      await proxy.close();
    });
    expect(await (await fetch(`https://site.test:${port}/`, { dispatcher: agent })).text()).toBe('secure');
    await expect(fetch(`https://other.test:${port}/`, { dispatcher: agent })).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    // The fetch tool's client goes there without the proxy; it does not know who signed this.
    await using client = createGuardedClient(guard);
    await expect(client.fetch(`https://site.test:${port}/`)).rejects.toMatchObject({
      cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
  });
});
