import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CallContext } from './call-context.ts';
import { createClient } from './client.ts';
import { RpcTestService } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import { framed, rawCall } from './test-http2.ts';
import { aborted, collected, startPair, testService } from './test-server.ts';

describe('createServer()', () => {
  it('takes a free port for port 0 and says which', async () => {
    await using first = await createServer({ port: 0, services: [] });
    await using second = await createServer({ port: 0, services: [] });
    expect(first.port).not.toBe(second.port);
    expect(first.target).toBe(`127.0.0.1:${first.port}`);
  });

  it.each(['127.0.0.1', 'localhost', '0.0.0.0', '::1'])('listens at %s', async (host) => {
    await using server = await createServer({
      host,
      port: 0,
      services: [testService({ unary: () => ({ text: 'here' }) })],
    });
    using client = createClient(RpcTestService, server.target);
    expect((await client.unary({})).text).toBe('here');
  });

  it('names host and port when the port is taken, also by something else', async () => {
    const other = createTcpServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.on('listening', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(createServer({ port, services: [] })).rejects.toMatchObject({
      code: 'conflict',
      at: 'port',
      message: `127.0.0.1:${port}: the port is in use; another server may be running`,
    });
    other.close();
  });

  it('names the host when it is none of this machine', async () => {
    const refused = (host: string) => ({
      code: 'invalid-input',
      at: 'host',
      message: `host: ${host} is no address of this machine`,
    });
    await expect(createServer({ host: '192.0.2.1', port: 0, services: [] })).rejects.toMatchObject(
      refused('192.0.2.1'),
    );
    await expect(createServer({ host: 'no.such.invalid', port: 0, services: [] })).rejects.toMatchObject(
      refused('no.such.invalid'),
    );
  });

  it.each([-1, 65_536, 80.5])('refuses port %d', async (port) => {
    await expect(createServer({ port, services: [] })).rejects.toMatchObject({
      code: 'invalid-input',
      message: `port: ${port} is not a whole number from 0 to 65535`,
    });
  });
});

describe('the deadline of a server', () => {
  const waiting = (seen: CallContext[]) => ({
    unary: (_request: object, context: CallContext): Promise<never> => {
      seen.push(context);
      return aborted(context.signal);
    },
  });

  it('ends calls that come without one', async () => {
    const seen: CallContext[] = [];
    await using pair = await startPair(waiting(seen), { limits: { defaultDeadlineMs: 100 } });
    using call = rawCall(pair.server.port, 'Unary', framed(Buffer.alloc(0)));
    call.stream.end();
    expect(await call.answer).toMatchObject({ 'grpc-status': '4' });
    expect(seen[0]!.signal.reason).toMatchObject({ code: 'deadline-exceeded' });
  });

  it('ends calls that come with one that is too far', async () => {
    const seen: CallContext[] = [];
    await using pair = await startPair(waiting(seen), { limits: { maxDeadlineMs: 100, defaultDeadlineMs: 60_000 } });
    await expect(pair.client.unary({}, { deadlineMs: 30_000 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect(seen[0]!.deadline).toBeLessThanOrEqual(Date.now());
  });

  it('leaves a nearer one of the caller alone', async () => {
    const seen: CallContext[] = [];
    await using pair = await startPair(waiting(seen));
    const begin = Date.now();
    await expect(pair.client.unary({}, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect(seen[0]!.deadline - begin).toBeLessThan(200);
  });

  it('cuts off a caller who never sends the request', async () => {
    await using pair = await startPair({}, { limits: { defaultDeadlineMs: 100 } });
    using call = rawCall(pair.server.port, 'Unary');
    expect(await call.answer).toMatchObject({ 'grpc-status': '4' });
  });
});

describe('drain()', () => {
  it('turns health off, serves on while it is told to wait, then refuses what is new and lets the old finish', async () => {
    const finish = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    await using pair = await startPair({
      unary: async ({ text }) => {
        if (text === 'slow') {
          begun.resolve(undefined);
          await finish.promise;
        }
        return { text };
      },
    });
    const slow = pair.client.unary({ text: 'slow' });
    await begun.promise;
    const drained = pair.server.drain({ delayMs: 200, graceMs: 10_000 });
    expect(pair.server.health.get()).toBe('NOT_SERVING');
    expect((await pair.client.unary({ text: 'during the wait' })).text).toBe('during the wait');
    await delay(300);
    await expect(pair.client.unary({ text: 'late' })).rejects.toMatchObject({ code: 'unavailable' });
    finish.resolve(undefined);
    expect((await slow).text).toBe('slow');
    await drained;
    expect(pair.server.activeCalls).toBe(0);
  });

  it('aborts what does not finish in time, and tells its callers', async () => {
    await using pair = await startPair({
      unary: (_request, { signal }) => aborted(signal),
      serverStream: async function* (_request, { signal }) {
        yield { number: 1 };
        await aborted(signal);
      },
      clientStream: async (requests) => {
        return { sum: (await collected(requests)).length };
      },
    });
    async function* open(): AsyncGenerator<{ number: number }> {
      yield { number: 1 };
      await new Promise(() => undefined);
    }
    const stream = pair.client.serverStream({});
    await stream.next();
    const calls = Promise.allSettled([pair.client.unary({}), stream.next(), pair.client.clientStream(open())]);
    await expect.poll(() => pair.server.activeCalls).toBe(3);
    const begin = performance.now();
    const drained = pair.server.drain({ graceMs: 100 });
    await drained;
    expect(performance.now() - begin).toBeLessThan(1000);
    const told = { status: 'rejected', reason: { code: 'unavailable', message: 'the server is shutting down' } };
    expect(await calls).toMatchObject([told, told, told]);
  });

  it('cuts off what does not even stop when it is aborted', async () => {
    const release = Promise.withResolvers<object>();
    await using pair = await startPair({ unary: () => release.promise });
    const call = pair.client.unary({});
    await expect.poll(() => pair.server.activeCalls).toBe(1);
    const caught = call.catch((reason: unknown) => reason);
    await pair.server.drain({ graceMs: 50 });
    expect(await caught).toMatchObject({ code: 'unavailable' });
    release.resolve({});
  });

  it('refuses times that are none', async () => {
    await using server = await createServer({ port: 0, services: [] });
    await expect(server.drain({ graceMs: -1 })).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'graceMs: -1 is not a whole number from 0 to 2147483647',
    });
    expect(server.health.get()).toBe('SERVING');
  });

  it('frees the port, and may be called twice', async () => {
    const server = await createServer({ port: 0, services: [] });
    await Promise.all([server.drain(), server.drain()]);
    await using again = await createServer({ port: server.port, services: [] });
    expect(again.port).toBe(server.port);
  });

  it('is what `await using` does', async () => {
    let port: number;
    {
      await using server = await createServer({ port: 0, services: [] });
      port = server.port;
    }
    await using again = await createServer({ port, services: [] });
    expect(again.port).toBe(port);
  });
});
