/** The console's files, as the gateway serves them. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createGatewayService } from '@crucible/gateway';
import { createLogger } from '@crucible/service';
import { temporaryFolder } from '@crucible/testing';

const nowhere = '127.0.0.1:1';
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function start(folder: string): Promise<string> {
  const gateway = await createGatewayService({
    log: createLogger('test', 'silent'),
    host: '127.0.0.1',
    port: 0,
    policyTarget: nowhere,
    retrieverTarget: nowhere,
    sandboxTarget: nowhere,
    trainerTarget: nowhere,
    actorTarget: nowhere,
    console: folder,
  });
  onTestFinished(() => gateway.close(0));
  return gateway.target;
}

function build(folder: string, page: string): void {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'assets/main-a1b2c3.js'), `console.log(${JSON.stringify('x'.repeat(5000))});`);
  writeFileSync(join(folder, 'assets/main-a1b2c3.js.map'), '{}');
  writeFileSync(join(folder, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(folder, 'index.html'), page);
}

/** The path as it is written, which fetch would tidy up. */
function statusOf(target: string, path: string): Promise<number> {
  const [host, port] = target.split(':');
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(port) });
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.on('end', () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])));
    socket.on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\n`);
  });
}

test('its pages may load nothing from elsewhere; its assets are kept by browsers, its page is not', async () => {
  const folder = join(temporaryFolder(), 'dist');
  build(folder, '<!doctype html><title>console</title>');
  const target = await start(folder);
  for (const path of ['/', '/index.html', '/chat', '/runs/run-1', '/knowledge/home?at=3']) {
    const response = await fetch(`http://${target}${path}`);
    expect([path, response.status, await response.text()]).toEqual([
      path,
      200,
      '<!doctype html><title>console</title>',
    ]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    });
  }
  const script = await fetch(`http://${target}/assets/main-a1b2c3.js`);
  expect(script.status).toBe(200);
  expect(Object.fromEntries(script.headers)).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-encoding': 'gzip',
  });
  // Unpacked by fetch
  expect((await script.text()).length).toBeGreaterThan(5000);
  const plain = await fetch(`http://${target}/assets/main-a1b2c3.js`, { headers: { 'accept-encoding': 'gzip;q=0' } });
  expect(plain.headers.get('content-encoding')).toBeNull();
  const known = { 'if-none-match': script.headers.get('etag')! };
  expect((await fetch(`http://${target}/assets/main-a1b2c3.js`, { headers: known })).status).toBe(304);
  expect((await fetch(`http://${target}/icon.svg`, { method: 'HEAD' })).status).toBe(200);
});

test('nothing else is given away', async () => {
  const home = temporaryFolder();
  writeFileSync(join(home, 'secret.txt'), 'secret');
  const folder = join(home, 'dist');
  build(folder, 'page');
  symlinkSync(join(home, 'secret.txt'), join(folder, 'link.txt'));
  const target = await start(folder);
  for (const path of [
    '/assets/none.js',
    '/assets/main-a1b2c3.js.map',
    '/link.txt',
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '//etc/hosts.txt',
    '/%00.js',
    '/%ff.js',
  ])
    expect([path, await statusOf(target, path)]).toEqual([path, 404]);
  for (const path of ['/v1', '/v1/none', '/v1/chat/completions'])
    expect([path, await statusOf(target, path)]).toEqual([path, 404]);
  expect((await fetch(`http://${target}/chat`, { method: 'POST' })).status).toBe(404);
});

test('a new build is served without a restart; without one a page says how to make it', async () => {
  const folder = join(temporaryFolder(), 'dist');
  const target = await start(folder);
  const page = async (): Promise<string> => (await fetch(`http://${target}/`)).text();
  expect(await page()).toContain('npm run build -w @crucible/console');
  build(folder, 'first');
  expect(await page()).toBe('first');
  build(folder, 'second one');
  expect(await page()).toBe('second one');
});
