import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { createGatewayService } from '@crucible/gateway';
import { createRetrieverService } from '@crucible/retriever';
import { createLogger, type Service } from '@crucible/service';

const home = mkdtempSync(join(tmpdir(), 'crucible-knowledge-'));
const common = { log: createLogger('test', 'silent'), host: '127.0.0.1', port: 0 };
let bus: Bus;
let retriever: Service;
let gateway: Service;

beforeAll(async () => {
  bus = await createBus('embedded:');
  retriever = await createRetrieverService({ ...common, bus, home, store: join(home, 'knowledge') });
  const nobody = {
    policyTarget: '127.0.0.1:1',
    sandboxTarget: '127.0.0.1:1',
    trainerTarget: '127.0.0.1:1',
    actorTarget: '127.0.0.1:1',
  };
  gateway = await createGatewayService({ ...common, ...nobody, retrieverTarget: retriever.target });
}, 60_000);

afterAll(async () => {
  await gateway.close(0);
  await retriever.close(1000);
  await bus.close();
  rmSync(home, { recursive: true });
});

async function call(
  method: string,
  path: string,
  body?: string | Uint8Array,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://${gateway.target}/v1/knowledge${path}`, {
    method,
    ...(body !== undefined && { body: typeof body === 'string' ? body : Buffer.from(body) }),
  });
  return { status: response.status, body: await response.json() };
}

test('documents go in, are found with their places, and are taken out, over HTTP', { timeout: 60_000 }, async () => {
  const text = '# 茶\n\n绿茶用七十五度的水。\n\n# Tea\n\nGreen tea likes water of 75 degrees.';
  const path = '/home/sources/guide/tea.md?metadata=%7B%22lang%22%3A%22en%22%7D';
  expect(await call('PUT', path, text)).toMatchObject({
    status: 201,
    body: {
      id: 'guide/tea.md',
      unchanged: false,
      passages: 2,
      documents: [{ id: 'guide/tea.md', metadata: { lang: 'en' } }],
    },
  });
  expect(await call('PUT', path, text)).toMatchObject({ status: 200, body: { unchanged: true } });
  // Larger than what other routes take
  const large = 'Word after word. '.repeat(260_000);
  expect((await call('PUT', '/home/sources/large.txt', large)).status).toBe(201);

  const query = JSON.stringify({ query: 'water for green tea', limit: 1, filter: { lang: 'en' }, neighbours: 1 });
  const { status, body } = await call('POST', '/home/search', query);
  expect(status).toBe(200);
  const { data, confidence } = body as {
    confidence: number;
    data: { text: string; start: number; end: number; highlights: [number, number][] }[];
  };
  expect(confidence).toBeGreaterThan(0.9);
  const [hit] = data;
  expect(hit).toMatchObject({
    object: 'passage',
    heading: 'Tea',
    page: null,
    document: { id: 'guide/tea.md' },
    before: [{ heading: '茶' }],
  });
  expect(hit!.text).toBe(text.slice(hit!.start, hit!.end));
  expect(hit!.highlights.map(([start, end]) => hit!.text.slice(start, end))).toEqual(
    expect.arrayContaining(['Green', 'water']),
  );

  expect(await call('GET', '')).toMatchObject({ body: { data: [{ id: 'home', documents: 2, embedder: null }] } });
  expect(await call('GET', '/home/documents?limit=1')).toMatchObject({
    body: { data: [{ id: 'guide/tea.md' }], after: expect.any(String) as string },
  });
  expect(await call('GET', '/home/documents/guide/tea.md')).toMatchObject({
    body: { text, text_length: text.length, passages: 2 },
  });
  expect(await call('DELETE', '/home/documents/guide/tea.md')).toMatchObject({ body: { deleted: true } });
  expect(await call('GET', '/home/documents/guide/tea.md')).toMatchObject({ status: 404 });
  expect(await call('DELETE', '/home')).toMatchObject({ status: 200 });
});

test('an upload of a gigabyte is cut off at the limit', { timeout: 60_000 }, async () => {
  const piece = new Uint8Array(1024 * 1024);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (sent++ < 1024) controller.enqueue(piece);
      else controller.close();
    },
  });
  const url = `http://${gateway.target}/v1/knowledge/home/sources/large.txt`;
  const response = await fetch(url, { method: 'PUT', body, duplex: 'half' });
  expect(response.status).toBe(429);
  expect(await response.json()).toMatchObject({
    error: { message: 'large.txt: it is larger than 134217728 bytes' },
  });
  expect(sent).toBeLessThan(400);
});

test.each([
  ['POST', '/none/search', '{"query": "x"}', 404, 'collection none does not exist', 'collection'],
  ['POST', '/home/search', '{"query": "x", "top": 3}', 400, 'top: there is no such field', 'top'],
  ['POST', '/home/search', '{"query": 3}', 400, 'query: Invalid input: expected string, received number', 'query'],
  ['POST', '/home/search', 'query', 400, 'the body is no JSON: ', 'body'],
  ['POST', '/home/search', '{"query": " "}', 400, 'query: it is empty', 'query'],
  ['PUT', '/home/sources/a.exe', 'x', 400, 'name: the ending of a.exe says no known format', 'name'],
  ['PUT', '/home/sources/a.pdf', 'x', 400, 'a.pdf: it is a damaged PDF', 'a.pdf'],
  ['PUT', '/home/sources/a.md?metadata=x', 'x', 400, 'metadata: a JSON object is needed', 'metadata'],
])('%s %s of %s is refused by name', async (method, path, body, status, message, param) => {
  const answer = await call(method, path, body);
  expect(answer).toMatchObject({
    status,
    body: { error: { message: expect.stringContaining(message) as string, param } },
  });
});
