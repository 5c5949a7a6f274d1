import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { CrucibleError } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { RpcTestService } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import { collected, startPair, testService } from './test-server.ts';
import type { TestHandlers } from './test-server.ts';

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('a client', () => {
  it('says whom it could not reach', async () => {
    const port = await freePort();
    using client = createClient(RpcTestService, `127.0.0.1:${port}`);
    await expect(client.unary({})).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        new RegExp(`^crucible\\.rpctest\\.v1\\.RpcTestService/Unary at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
      ) as string,
    });
  });

  it('waits for a server that comes later, when asked to', async () => {
    const port = await freePort();
    using client = createClient(RpcTestService, `127.0.0.1:${port}`);
    const call = client.unary({}, { waitForReady: true, deadlineMs: 20_000 });
    await using server = await createServer({ port, services: [testService({ unary: () => ({ text: 'late' }) })] });
    expect((await call).text).toBe('late');
    expect(server.port).toBe(port);
  });

  it('finds a server again that was restarted', async () => {
    const services = [testService({ unary: () => ({ text: 'here' }) })];
    const first = await createServer({ port: 0, services });
    using client = createClient(RpcTestService, first.target);
    await client.unary({});
    await first.drain();
    await using second = await createServer({ port: first.port, services });
    expect(second.port).toBe(first.port);
    await expect.poll(() => client.unary({}), { timeout: 5000 }).toMatchObject({ text: 'here' });
  });

  it('learns that the server was killed in the middle of a stream', async () => {
    const child = fork(new URL('./test-server-process.ts', import.meta.url));
    try {
      const [port] = (await once(child, 'message')) as [number];
      using client = createClient(RpcTestService, `127.0.0.1:${port}`);
      const stream = client.serverStream({});
      await stream.next();
      child.kill('SIGKILL');
      await expect(collected(stream)).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('refuses a target that is none, and calls after it was closed', async () => {
    expect(() => createClient(RpcTestService, 'https://host:7001')).toThrow(
      expect.objectContaining({ code: 'invalid-input', at: 'target' }),
    );
    await using pair = await startPair({ unary: () => ({}) });
    pair.client.close();
    await expect(pair.client.unary({})).rejects.toMatchObject({
      code: 'failed-precondition',
      message: `${pair.server.target}: this client has been closed`,
    });
  });

  it('names what is wrong with a request, before it is sent', async () => {
    await using pair = await startPair({ unary: () => ({}) });
    await expect(pair.client.unary({ choice: -1 })).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('Unary at') as string,
    });
  });

  it('sends its metadata with every call, unless the call has other', async () => {
    const seen: (string | null)[] = [];
    await using pair = await startPair(
      { unary: (_request, { metadata }) => (seen.push(metadata.get('authorization')), {}) },
      {},
      { metadata: { authorization: 'Bearer a' } },
    );
    await pair.client.unary({});
    await pair.client.unary({}, { metadata: { authorization: 'Bearer b' } });
    expect(seen).toEqual(['Bearer a', 'Bearer b']);
  });

  it('spreads its calls over all servers of a name, when asked to', async () => {
    const port = await freePort();
    const answering = (text: string) => [testService({ unary: () => ({ text }) })];
    await using first = await createServer({ host: '127.0.0.1', port, services: answering('first') });
    await using second = await createServer({ host: '127.0.0.2', port, services: answering('second') });
    using client = createClient(RpcTestService, `ipv4:${first.target},${second.target}`, {
      loadBalancing: 'round_robin',
    });
    const seen = new Set<string>();
    await expect.poll(async () => seen.add((await client.unary({})).text).size).toBe(2);
  });
});

describe('a server that breaks the protocol', () => {
  /** Answers Unary with these messages. */
  async function startForeign(...answers: Buffer[]) {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const path = '/crucible.rpctest.v1.RpcTestService/Unary';
    const unary = {
      path,
      requestStream: false,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
    };
    const server = new GrpcServer();
    server.addService(
      { unary: { ...unary, responseSerialize: asIs, responseDeserialize: asIs } },
      {
        unary: (call: ServerWritableStream<Buffer, Buffer>) => {
          for (const answer of answers) call.write(answer);
          call.end();
        },
      },
    );
    const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
    const client = createClient(RpcTestService, `127.0.0.1:${port}`);
    return {
      client,
      [Symbol.dispose]: () => {
        client.close();
        server.forceShutdown();
      },
    };
  }

  it.each([
    ['no answer', [], 'crucible.rpctest.v1.RpcTestService/Unary: no answer came'],
    ['two answers', ['', ''], 'crucible.rpctest.v1.RpcTestService/Unary: more than one answer came'],
    ['rubbish', ['\xff'], /Unary at [\d.:]+: the answer is not a crucible\.rpctest\.v1\.UnaryResponse: /],
  ])('is found out when it gives %s', async (_name, answers, message) => {
    using foreign = await startForeign(...answers.map((text) => Buffer.from(text, 'latin1')));
    await expect(foreign.client.unary({})).rejects.toMatchObject({
      code: 'internal',
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    });
  });
});

describe('retry', () => {
  /** Fails so often, then answers. */
  function failing(
    times: number,
    code: 'unavailable' | 'internal',
  ): Pick<TestHandlers, 'unary'> & { tries: () => number } {
    let tries = 0;
    const unary = (): { text: string } => {
      if (tries++ < times) throw new CrucibleError(code, 'not now');
      return { text: `after ${tries}` };
    };
    return { unary, tries: () => tries };
  }

  it('tries an idempotent method again when the server is unavailable', async () => {
    await using pair = await startPair(failing(3, 'unavailable'), {}, { retry: ['unary'] });
    expect((await pair.client.unary({})).text).toBe('after 4');
  });

  it('gives up after the fourth time', async () => {
    const handlers = failing(100, 'unavailable');
    await using pair = await startPair(handlers, {}, { retry: ['unary'] });
    await expect(pair.client.unary({})).rejects.toMatchObject({ code: 'unavailable', message: 'not now' });
    expect(handlers.tries()).toBe(4);
  });

  it('is not done for other errors', async () => {
    const handlers = failing(1, 'internal');
    await using pair = await startPair(handlers, {}, { retry: ['unary'] });
    await expect(pair.client.unary({})).rejects.toMatchObject({ code: 'internal' });
    expect(handlers.tries()).toBe(1);
  });

  it('is not done for methods that the caller did not name', async () => {
    const handlers = failing(1, 'unavailable');
    await using pair = await startPair(handlers, {}, { retry: ['serverStream'] });
    await expect(pair.client.unary({})).rejects.toMatchObject({ code: 'unavailable' });
    expect(handlers.tries()).toBe(1);
  });

  it('is refused for methods that are not declared idempotent', () => {
    expect(() => createClient(RpcTestService, 'localhost:1', { retry: ['clientStream'] })).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: 'retry: crucible.rpctest.v1.RpcTestService declares no idempotent method clientStream',
      }),
    );
  });
});
