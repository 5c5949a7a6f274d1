import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Tool } from '@crucible/prompting';
import { CrucibleError } from '@crucible/foundation';
import { NetworkGuard } from '../network/guard.ts';
import { connectMcpServer } from './mcp-client.ts';
import { createMcpHttpServer } from './mcp-server.ts';

const { signal } = new AbortController();
const waits = { begun: 0, cancelled: 0 };
const tools: readonly Tool[] = [
  {
    name: 'double',
    description: 'doubles a number',
    parameters: {
      type: 'object',
      properties: { n: { type: 'integer' } },
      required: ['n'],
      additionalProperties: false,
    },
    run: ({ n }) => Promise.resolve({ text: String(2 * Number(n)) }),
  },
  {
    name: 'fail',
    description: 'fails',
    parameters: { type: 'object' },
    run: () => Promise.reject(new CrucibleError('not-found', 'there is no such page')),
  },
  {
    name: 'bug',
    description: 'has a bug',
    parameters: { type: 'object' },
    run: () => Promise.reject(new Error('secret detail')),
  },
  {
    name: 'wait',
    description: 'waits to be cancelled',
    parameters: { type: 'object' },
    run: (_input, options) =>
      new Promise((_resolve, reject) => {
        waits.begun++;
        options.signal.addEventListener('abort', () => {
          waits.cancelled++;
          reject(options.signal.reason as Error);
        });
      }),
  },
];

async function start(): Promise<{ url: string; port: number; stop: () => void }> {
  const mcp = createMcpHttpServer(tools);
  const server = createServer((request, response) => void getRequestListener(mcp.fetch)(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(async () => {
    await mcp.close();
    stop();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/mcp`, port, stop };
}

describe('createMcpHttpServer()', () => {
  it.each([
    ['2026-07-28', { mode: { pin: '2026-07-28' } }],
    ['2025-11-25', { mode: 'legacy' }],
  ] as const)('serves a client that speaks %s', async (version, versionNegotiation) => {
    const { url } = await start();
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    onTestFinished(() => client.close());
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['double', 'fail', 'bug', 'wait']);
    expect(await client.callTool({ name: 'double', arguments: { n: 21 } })).toMatchObject({
      content: [{ type: 'text', text: '42' }],
    });
    for (const [name, input, text] of [
      ['fail', {}, 'there is no such page'],
      ['bug', {}, 'the tool failed'],
      ['none', {}, 'there is no tool none'],
      ['double', { n: 'x' }, /^double: .*integer/],
      ['double', { n: 1, m: 1 }, /^double: .*additional/],
    ] as const) {
      const answer = await client.callTool({ name, arguments: input });
      expect(answer.isError, name).toBe(true);
      expect(answer.content, name).toEqual([
        { type: 'text', text: typeof text === 'string' ? text : (expect.stringMatching(text) as string) },
      ]);
    }
  });

  it('cancels a tool whose caller leaves', async () => {
    const { url } = await start();
    const connection = await connectMcpServer({ name: 'ours', url });
    onTestFinished(() => connection.close());
    const before = { ...waits };
    const controller = new AbortController();
    const waiting = connection.tools.find(({ name }) => name === 'ours_wait')!.run({}, { signal: controller.signal });
    waiting.catch(() => undefined);
    await expect.poll(() => waits.begun, { timeout: 20_000 }).toBe(before.begun + 1);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => waits.cancelled, { timeout: 20_000 }).toBe(before.cancelled + 1);
  });

  it('is not asked by pages, nor by names that are not its own', async () => {
    const { url } = await start();
    const ask = async (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve) => {
        void import('node:http').then(({ request }) =>
          request(url, { method: 'POST', headers }, (response) => resolve(response.resume().statusCode!)).end('{}'),
        );
      });
    expect(await ask({ host: 'evil.test' })).toBe(403);
    expect(await ask({ origin: 'https://evil.test' })).toBe(403);
    expect(await ask({ host: 'localhost' })).not.toBe(403);
  });
});

describe('connectMcpServer() over HTTP', () => {
  it('offers the tools of our server as they are', async () => {
    const { url } = await start();
    const connection = await connectMcpServer({ name: 'ours', url });
    onTestFinished(() => connection.close());
    expect(connection.protocolVersion).toBe('2026-07-28');
    expect(connection.tools[0]!.parameters).toEqual(tools[0]!.parameters);
    expect((await connection.tools[0]!.run({ n: 4 }, { signal })).text).toMatch(/\n8$/);
  });

  it('says that a server is gone', async () => {
    const { url, stop } = await start();
    const connection = await connectMcpServer({ name: 'ours', url });
    onTestFinished(() => connection.close());
    stop();
    await expect(connection.tools[0]!.run({ n: 4 }, { signal })).rejects.toMatchObject({ code: 'unavailable' });
    await expect(connectMcpServer({ name: 'ours', url })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('goes through the guard where there is one', async () => {
    const { url, port } = await start();
    await expect(connectMcpServer({ name: 'ours', url }, { guard: new NetworkGuard() })).rejects.toMatchObject({
      code: 'permission-denied',
    });
    const guard = new NetworkGuard({ addresses: [`127.0.0.1:${port}`] });
    const connection = await connectMcpServer({ name: 'ours', url }, { guard });
    onTestFinished(() => connection.close());
    expect((await connection.tools[0]!.run({ n: 4 }, { signal })).text).toMatch(/\n8$/);
  });

  it('bounds the bytes of an answer', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(`"${'x'.repeat(3 * 2 ** 20)}"`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    await expect(connectMcpServer({ name: 'big', url }, { mostBytes: 2 ** 20 })).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: 'the answer has more than 1048576 bytes',
    });
  });
});

describe('serveMcpOverStdio()', () => {
  it('serves a client that started it', async () => {
    const program = fileURLToPath(new URL('../testing/mcp-tools-process.ts', import.meta.url));
    const connection = await connectMcpServer({ name: 'ours', command: process.execPath, args: [program] });
    onTestFinished(() => connection.close());
    expect((await connection.tools[0]!.run({ text: 'abc' }, { signal })).text).toMatch(/\ncba$/);
  });
});
