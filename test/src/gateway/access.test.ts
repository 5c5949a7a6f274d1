/** Who may ask the gateway: keys with scopes, limits and expiry; without keys, this machine and no page of another site. */
import { request } from 'node:http';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createGatewayService, type GatewayDependencies } from '@crucible/gateway';
import { ApiKeys, createLogger, type NewKey, type Service } from '@crucible/service';
import { temporaryFolder } from '@crucible/testing';
import { startTinyPolicy, type TinyPolicy } from '../testing/tiny-policy.ts';

const log = createLogger('test', 'silent');
const nowhere = '127.0.0.1:1';
let policy: TinyPolicy;

beforeAll(async () => {
  policy = await startTinyPolicy(log);
});
afterAll(() => policy.close());

async function startGateway(options: Partial<GatewayDependencies> = {}): Promise<Service> {
  const gateway = await createGatewayService({
    log,
    host: '127.0.0.1',
    port: 0,
    policyTarget: policy.target,
    retrieverTarget: nowhere,
    sandboxTarget: nowhere,
    trainerTarget: nowhere,
    actorTarget: nowhere,
    ...options,
  });
  onTestFinished(() => gateway.close(0));
  return gateway;
}

/** A gateway that asks for keys, of which there is one. */
async function startWithKey(
  more: Partial<NewKey> = {},
): Promise<{ readonly url: string; readonly key: string; readonly keys: ApiKeys }> {
  const folder = join(temporaryFolder(), 'keys');
  const keys = new ApiKeys(folder);
  const key = keys.add({ name: 'laptop', ...more });
  const gateway = await startGateway({ keys: folder });
  return { url: `http://${gateway.target}`, key, keys };
}

const chat = { model: 'chat', messages: [{ role: 'user' as const, content: 'is the iron hot?' }], max_tokens: 4 };

function ask(url: string, key: string | undefined, more: object = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    body: JSON.stringify({ ...chat, ...more }),
    ...(signal && { signal }),
  });
}

async function errorOf(response: Response): Promise<Record<string, unknown>> {
  return ((await response.json()) as { error: Record<string, unknown> }).error;
}

/** As no well-behaved client does it: with any Host and Origin. */
function raw(
  target: string,
  { method = 'GET', path = '/v1/models', headers = {}, body = '' },
): Promise<{ readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly text: string }> {
  const [host, port] = target.split(':');
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('without keys', () => {
  test('it listens for this machine alone, unless it is told otherwise', async () => {
    const keys = join(temporaryFolder(), 'keys');
    const message =
      /^without API keys the gateway serves this machine alone, and 0\.0\.0\.0 is open to others: make a /;
    await expect(startGateway({ host: '0.0.0.0', keys })).rejects.toMatchObject({
      code: 'failed-precondition',
      at: 'host',
      message: expect.stringMatching(message) as string,
    });
    await startGateway({ host: '0.0.0.0', keys, withoutKeys: 'anywhere' });
    new ApiKeys(keys).add({ name: 'a' });
    await startGateway({ host: '0.0.0.0', keys });
  });

  test('a page that has another name for this machine is refused (DNS rebinding)', async () => {
    const { target } = await startGateway({ hosts: ['chat.example'] });
    const port = target.split(':')[1];
    for (const host of [target, `localhost:${port}`, `LOCALHOST`, '[::1]:80', 'chat.example', 'chat.example:8443'])
      expect(await raw(target, { headers: { host } })).toMatchObject({ status: 200 });
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', '0.0.0.0', 'chat.example.'])
      expect(await raw(target, { headers: { host } })).toMatchObject({
        status: 403,
        text: expect.stringContaining(`the host \\"${host}\\" is not one of localhost, `) as string,
      });
  });

  test('a page of another site cannot post to it', async () => {
    const { target } = await startGateway();
    const post = (headers: Record<string, string>) =>
      raw(target, { method: 'POST', path: '/v1/chat/completions', body: JSON.stringify(chat), headers });
    expect(await post({})).toMatchObject({ status: 200 });
    expect(await post({ origin: `http://${target}`, 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 200 });
    expect(await post({ 'sec-fetch-site': 'none' })).toMatchObject({ status: 200 });
    for (const origin of ['http://evil.example', 'null', `http://${target}.evil.example`, 'http://127.0.0.1:1'])
      expect(await post({ origin })).toMatchObject({
        status: 403,
        text: expect.stringContaining(`pages of ${origin} may not ask here`) as string,
      });
    expect(await post({ 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
    expect(
      await raw(target, { method: 'DELETE', path: '/v1/knowledge/home', headers: { origin: 'http://evil' } }),
    ).toMatchObject({ status: 403 });
  });

  test('pages of named origins may ask, and no others', async () => {
    const origin = 'https://chat.example';
    const { target } = await startGateway({ origins: [origin] });
    const preflight = (from: string) =>
      raw(target, {
        method: 'OPTIONS',
        path: '/v1/chat/completions',
        headers: {
          origin: from,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
    const allowed = await preflight(origin);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-headers': 'authorization,content-type',
    });
    expect((await preflight('https://evil.example')).headers).not.toHaveProperty('access-control-allow-origin');
    const posted = await raw(target, {
      method: 'POST',
      path: '/v1/chat/completions',
      body: JSON.stringify(chat),
      headers: { origin },
    });
    expect(posted).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': origin } });
  });
});

describe('with keys', () => {
  test('a client of OpenAI needs one, and gets its errors', async () => {
    const { url, key } = await startWithKey();
    const client = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
    expect((await client(key).chat.completions.create(chat)).choices[0]!.message.content).not.toBe('');
    expect((await client(key).models.list()).data[0]!.id).toBe('crucible');
    for (const wrong of ['none', `${key}x`, key.slice(0, -1)])
      await expect(client(wrong).chat.completions.create(chat)).rejects.toMatchObject({
        constructor: OpenAI.AuthenticationError,
        status: 401,
        code: 'invalid_api_key',
        message: '401 the API key is not known here',
      });
  });

  test.each([
    ['none at all', {}, 'an API key is needed: send the header `Authorization: Bearer KEY`'],
    ['a word of another kind', { authorization: 'Basic eDp5' }, 'the header Authorization must be `Bearer KEY`'],
    ['nothing', { authorization: 'Bearer ' }, 'the header Authorization must be `Bearer KEY`'],
    ['megabytes', { authorization: `Bearer ${'x'.repeat(8000)}` }, 'the API key is not known here'],
  ])('%s is no key', async (_what, headers: Record<string, string>, message) => {
    const { url } = await startWithKey();
    for (const path of ['/v1/models', '/v1/jobs', '/v1/knowledge', '/v1/none', '/metrics', '/mcp']) {
      const response = await fetch(url + path, { headers });
      expect([path, response.status, response.headers.get('www-authenticate')]).toEqual([path, 401, 'Bearer']);
      expect(await errorOf(response)).toEqual({
        type: 'invalid_request_error',
        code: 'invalid_api_key',
        param: 'authorization',
        message,
      });
    }
  });

  test('whether it lives is open to everybody, and the page that asks for a key', async () => {
    const { url } = await startWithKey();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(url)).text()).toContain('<title>Crucible</title>');
  });

  test('a key is for its scopes', async () => {
    const { url, key } = await startWithKey({ scopes: ['chat', 'metrics'] });
    const get = (path: string) => fetch(url + path, { headers: { authorization: `bearer ${key}` } });
    expect((await get('/v1/models')).status).toBe(200);
    expect((await get('/metrics')).status).toBe(200);
    expect((await get('/v1/none')).status).toBe(404);
    const refused = await get('/v1/jobs');
    expect(refused.status).toBe(403);
    expect(await errorOf(refused)).toMatchObject({
      code: 'permission_denied',
      message: 'GET /v1/jobs: the key laptop has no scope jobs; it has chat, metrics',
    });
    for (const path of ['/v1/knowledge/home/documents', '/v1/sandbox', '/mcp'])
      expect((await get(path)).status).toBe(403);
  });

  test('a key that has expired says so', async () => {
    const { url, key } = await startWithKey({ expiresAt: new Date('2020-01-01T00:00:00Z') });
    const response = await ask(url, key);
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toMatchObject({
      message: 'the API key laptop has expired, on 2020-01-01T00:00:00.000Z',
    });
  });

  test('revoking the last key opens nothing', async () => {
    const { url, key, keys } = await startWithKey();
    expect((await ask(url, key)).status).toBe(200);
    keys.revoke('laptop');
    await expect.poll(async () => (await ask(url, key)).status).toBe(401);
    expect((await ask(url, undefined)).status).toBe(401);
  });

  test('the first key closes a gateway that was open', async () => {
    const folder = join(temporaryFolder(), 'keys');
    const { target } = await startGateway({ keys: folder });
    const url = `http://${target}`;
    expect((await ask(url, undefined)).status).toBe(200);
    const key = new ApiKeys(folder).add({ name: 'a' });
    expect((await ask(url, undefined)).status).toBe(401);
    await expect.poll(async () => (await ask(url, key)).status).toBe(200);
  });

  test('another site may not use what a browser does not send by itself', async () => {
    const { url, key } = await startWithKey();
    const response = await fetch(`${url}/v1/models`, {
      headers: { authorization: `Bearer ${key}`, origin: 'https://evil.example' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the limits of a key', () => {
  test('requests a minute: what is left is told, and when to come again', async () => {
    const { url, key } = await startWithKey({ requestsPerMinute: 2 });
    const get = () => fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    const first = await get();
    expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(first.headers.get('x-ratelimit-limit-tokens')).toBeNull();
    await get();
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(20);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(30);
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(refused.headers.get('x-ratelimit-reset-requests')).toMatch(/^\d+\.\d{3}s$/);
    expect(await errorOf(refused)).toEqual({
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      param: null,
      message: 'key laptop has made its 2 requests of this minute',
    });
  });

  test('tokens a minute: prompt and answers count, streamed or not', async () => {
    const { url, key } = await startWithKey({ tokensPerMinute: 1200 });
    const left = async (): Promise<number> => {
      const { headers } = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
      return Number(headers.get('x-ratelimit-remaining-tokens'));
    };
    const whole = (await (await ask(url, key, { max_tokens: 500, n: 2 })).json()) as OpenAI.ChatCompletion;
    const { prompt_tokens: prompt, completion_tokens: completion } = whole.usage!;
    expect(completion).toBe(1000);
    const first = await left();
    // They come back while we look, 20 in a second.
    expect(first).toBeGreaterThanOrEqual(1200 - prompt - completion);
    expect(first).toBeLessThan(1200);
    const spent = await startWithKey({ tokensPerMinute: 10 });
    await (await ask(spent.url, spent.key, { max_tokens: 30, stream: true })).text();
    const refused = await ask(spent.url, spent.key);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
    expect(await errorOf(refused)).toMatchObject({ message: 'key laptop has spent its 10 tokens of this minute' });
  });

  test('runs at a time: a stream has its place until it ends or its reader has left', async () => {
    const { url, key } = await startWithKey({ concurrentRuns: 1 });
    const long = { max_tokens: 1900, temperature: 2, stream: true };
    const controller = new AbortController();
    const streamed = await ask(url, key, long, controller.signal);
    await streamed.body!.getReader().read();
    const refused = await ask(url, key);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await errorOf(refused)).toMatchObject({
      message: 'key laptop has 1 runs at work, which is all it may have',
    });
    // Other requests go on.
    expect((await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    controller.abort();
    await vi.waitFor(async () => expect((await ask(url, key)).status).toBe(200), { timeout: 10_000, interval: 50 });
    expect((await ask(url, key)).status).toBe(200);
  });
});
