/** Client and server together, over loopback: what a caller sends, gets, and may rely on. */
import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import type { CallContext } from './call-context.ts';
import type { CallOptions } from './client.ts';
import type { CallReport } from './serve-call.ts';
import { aborted, collected, startPair, streamOf } from './test-server.ts';
import type { TestClient, TestHandlers } from './test-server.ts';
import { framed, rawCall } from './test-http2.ts';

/** The four kinds of calls: how to make one, and a server whose handler of it never answers by itself. */
const kinds = {
  unary: (client: TestClient, options: CallOptions) => client.unary({}, options),
  serverStream: (client: TestClient, options: CallOptions) => collected(client.serverStream({}, options)),
  clientStream: (client: TestClient, options: CallOptions) => client.clientStream(endless(), options),
  bidiStream: (client: TestClient, options: CallOptions) => collected(client.bidiStream(endless(), options)),
} as const;
const kindNames = Object.keys(kinds) as (keyof typeof kinds)[];

async function* endless(): AsyncGenerator<{ number: number }> {
  yield { number: 1 };
  await new Promise(() => undefined);
}

/** Handlers that wait for the end of their signal. `begun` is settled when one is at work, `ended` with why it ended. */
function waitingHandlers() {
  const begun = Promise.withResolvers<CallContext>();
  const ended = Promise.withResolvers<unknown>();
  const wait = async (context: CallContext): Promise<never> => {
    begun.resolve(context);
    return aborted(context.signal).catch((reason: unknown) => {
      ended.resolve(reason);
      throw reason;
    });
  };
  async function* waitForEver(context: CallContext): AsyncGenerator<never, void, undefined> {
    yield await wait(context);
  }
  const handlers: TestHandlers = {
    unary: (_request, context) => wait(context),
    serverStream: (_request, context) => waitForEver(context),
    clientStream: (_requests, context) => wait(context),
    bidiStream: (_requests, context) => waitForEver(context),
  };
  return { handlers, begun: begun.promise, ended: ended.promise };
}

describe('a call', () => {
  it('brings a message there and back', async () => {
    await using pair = await startPair({ unary: ({ text }) => ({ text: text.toUpperCase() }) });
    expect((await pair.client.unary({ text: 'né' })).text).toBe('NÉ');
  });

  it('brings streams of responses, of requests, and of both at once', async () => {
    await using pair = await startPair({
      serverStream: async function* ({ count }) {
        for (let number = 0; number < count; number++) yield await Promise.resolve({ number });
      },
      clientStream: async (requests) => {
        let sum = 0;
        for await (const { number } of requests) sum += number;
        return { sum };
      },
      bidiStream: async function* (requests) {
        for await (const { number } of requests) yield { number: number * 2 };
      },
    });
    const numbers = Array.from({ length: 1000 }, (_, number) => ({ number }));
    expect(await collected(pair.client.serverStream({ count: 1000 }))).toMatchObject(numbers);
    expect((await pair.client.clientStream(streamOf(...numbers))).sum).toBe(499_500);
    expect(await collected(pair.client.bidiStream(streamOf(...numbers)))).toMatchObject(
      numbers.map(({ number }) => ({ number: 2 * number })),
    );
  });

  it('answers each message of a stream before the next is sent, when both sides talk in turns', async () => {
    await using pair = await startPair({
      bidiStream: async function* (requests) {
        for await (const { number } of requests) yield { number: number + 1 };
      },
    });
    let turn = Promise.withResolvers<number>();
    async function* turns(): AsyncGenerator<{ number: number }> {
      yield { number: 0 };
      for (;;) {
        const number = await turn.promise;
        turn = Promise.withResolvers();
        if (number > 4) return;
        yield { number };
      }
    }
    const seen: number[] = [];
    for await (const { number } of pair.client.bidiStream(turns())) {
      seen.push(number);
      turn.resolve(number);
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('may be answered before all requests were read', async () => {
    let closed = false;
    async function* requests(): AsyncGenerator<{ number: number }> {
      try {
        for (let number = 0; ; number++) yield await Promise.resolve({ number });
      } finally {
        closed = true;
      }
    }
    await using pair = await startPair({
      clientStream: async (given) => {
        for await (const { number } of given) if (number === 10) return { sum: number };
        throw new Error('the stream ended');
      },
      bidiStream: async function* (given) {
        for await (const { number } of given) if (number === 10) break;
        yield { number: 1 };
        yield { number: 2 };
      },
    });
    expect((await pair.client.clientStream(requests())).sum).toBe(10);
    await expect.poll(() => closed).toBe(true);
    expect((await collected(pair.client.bidiStream(requests()))).map(({ number }) => number)).toEqual([1, 2]);
  });

  it('knows who calls, in whose name, and until when', async () => {
    let context: CallContext | undefined;
    await using pair = await startPair({
      unary: (_request, given) => {
        context = given;
        return {};
      },
    });
    const before = Date.now();
    await pair.client.unary({}, { deadlineMs: 5000, metadata: { 'x-request-id': 'r-1', 'x-other': 'o' } });
    expect(context).toMatchObject({ method: 'crucible.rpctest.v1.RpcTestService/Unary', requestId: 'r-1' });
    expect(context!.metadata.get('X-Other')).toBe('o');
    expect(context!.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(context!.deadline - before).toBeGreaterThan(4000);
    expect(context!.deadline - before).toBeLessThan(6000);
    await pair.client.unary({}, { metadata: { 'x-request-id': 'has spaces' } });
    expect(context!.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is reported when it is over', async () => {
    const reports: CallReport[] = [];
    const boom = new TypeError('boom');
    await using pair = await startPair(
      {
        unary: ({ text }) => {
          if (text === 'bug') throw boom;
          return {};
        },
      },
      { onCallEnd: (report) => void reports.push(report) },
    );
    await pair.client.unary({}, { metadata: { 'x-request-id': 'r-1' } });
    await expect(pair.client.unary({ text: 'bug' })).rejects.toThrow();
    const method = 'crucible.rpctest.v1.RpcTestService/Unary';
    expect(reports).toMatchObject([
      { method, code: 'ok', requestId: 'r-1' },
      { method, code: 'internal', error: { message: 'boom', cause: boom } },
    ]);
    expect(reports[0]).not.toHaveProperty('error');
  });
});

describe('an error of a handler', () => {
  const fail = (error: Error): TestHandlers => {
    const reject = (): Promise<never> => Promise.reject(error);
    async function* rejectLater(): AsyncGenerator<{ number: number }, void, undefined> {
      yield { number: 1 };
      await reject();
    }
    return { unary: reject, serverStream: rejectLater, clientStream: reject, bidiStream: rejectLater };
  };

  it.each(kindNames)('reaches the caller with code, message and field: %s', async (kind) => {
    await using pair = await startPair(fail(new CrucibleError('conflict', 'name: taken', { at: 'name' })));
    await expect(kinds[kind](pair.client, {})).rejects.toMatchObject({
      name: 'CrucibleError',
      code: 'conflict',
      message: 'name: taken',
      at: 'name',
    });
  });

  it('follows the messages that came before it', async () => {
    await using pair = await startPair(fail(invalidInput('no more')));
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { number } of pair.client.serverStream({})) seen.push(number);
    };
    await expect(read()).rejects.toThrow('no more');
    expect(seen).toEqual([1]);
  });

  it.each([
    ['a plain error', new Error('at /srv/app.ts:3')],
    ['an error of the file system', Object.assign(new Error("ENOENT: '/srv/key'"), { code: 'ENOENT' })],
    ['an internal error', new CrucibleError('internal', 'at /srv/app.ts:3')],
    ['what is no error', 'at /srv/app.ts:3' as unknown as Error],
  ])('is kept from the caller when it is %s', async (_name, thrown) => {
    await using pair = await startPair(fail(thrown));
    const error = await pair.client
      .unary({}, { metadata: { 'x-request-id': 'r-1' } })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'internal',
      message: "internal error; the server's log has it under request r-1",
    });
    expect((error as Error).stack).not.toContain('/srv');
  });

  it('is internal when the answer is no message of the schema', async () => {
    const reports: CallReport[] = [];
    await using pair = await startPair(
      { clientStream: () => Promise.resolve({ sum: -1 }) },
      { onCallEnd: (report) => void reports.push(report) },
    );
    await expect(pair.client.clientStream(streamOf({}))).rejects.toMatchObject({ code: 'internal' });
    expect(reports[0]!.error!.message).toContain('invalid uint32: -1');
  });
});

describe('a deadline', () => {
  it.each(kindNames)('ends the call and the handler: %s', async (kind) => {
    const { handlers, ended } = waitingHandlers();
    await using pair = await startPair(handlers);
    await expect(kinds[kind](pair.client, { deadlineMs: 400 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
    // The client's clock may be the first to see it, and then it cancels.
    expect(['deadline-exceeded', 'cancelled']).toContain(((await ended) as CrucibleError).code);
    await expect.poll(() => pair.server.activeCalls).toBe(0);
  });

  it('is the default of the client where the call names none', async () => {
    const { handlers } = waitingHandlers();
    await using pair = await startPair(handlers, {}, { deadlineMs: 50 });
    await expect(pair.client.unary({})).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: expect.stringContaining(
        `crucible.rpctest.v1.RpcTestService/Unary at ${pair.server.target}: Deadline exceeded after 0.`,
      ) as string,
    });
  });

  it('ends a handler whose caller does not read what was written', async () => {
    const ended = Promise.withResolvers<unknown>();
    await using pair = await startPair(
      {
        serverStream: async function* (_request, { signal }) {
          signal.addEventListener('abort', () => ended.resolve(signal.reason));
          for (;;) yield await Promise.resolve({ padding: new Uint8Array(10_000) });
        },
      },
      { limits: { maxDeadlineMs: 200 } },
    );
    const stream = pair.client.serverStream({});
    await stream.next();
    expect(await ended.promise).toMatchObject({ code: 'deadline-exceeded' });
    await stream.return();
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])('cannot be %d ms', async (deadlineMs) => {
    await using pair = await startPair({ unary: () => ({}) });
    await expect(pair.client.unary({}, { deadlineMs })).rejects.toMatchObject({
      code: 'invalid-input',
      message: `deadlineMs: ${deadlineMs} is not a whole number from 1 to 2147483647`,
    });
  });
});

describe('cancelling', () => {
  it.each(kindNames)('ends the call and the handler: %s', async (kind) => {
    const { handlers, begun, ended } = waitingHandlers();
    await using pair = await startPair(handlers);
    const controller = new AbortController();
    const call = kinds[kind](pair.client, { signal: controller.signal });
    await begun;
    controller.abort(new Error('enough'));
    await expect(call).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringMatching(/^crucible\.rpctest\.v1\.RpcTestService\/\w+ at [\d.:]+ was cancelled$/) as string,
      cause: { message: 'enough' },
    });
    expect(await ended).toMatchObject({ code: 'cancelled' });
    await expect.poll(() => pair.server.activeCalls).toBe(0);
  });

  it('is done by leaving a stream of responses', async () => {
    const ended = Promise.withResolvers<string>();
    await using pair = await startPair({
      serverStream: async function* () {
        try {
          for (let number = 0; ; number++) yield await Promise.resolve({ number });
        } finally {
          ended.resolve('ended');
        }
      },
    });
    for await (const { number } of pair.client.serverStream({})) if (number === 3) break;
    expect(await ended.promise).toBe('ended');
  });

  it('is done when the requests cannot be made, and says why', async () => {
    const { handlers, begun, ended } = waitingHandlers();
    await using pair = await startPair(handlers);
    async function* requests(): AsyncGenerator<{ number: number }> {
      yield { number: 1 };
      await begun;
      throw invalidInput('corpus.txt: not found');
    }
    await expect(pair.client.clientStream(requests())).rejects.toThrow('corpus.txt: not found');
    expect(await ended).toMatchObject({ code: 'cancelled' });
  });

  it('before the call makes none', async () => {
    const reports: CallReport[] = [];
    await using pair = await startPair({ unary: () => ({}) }, { onCallEnd: (report) => void reports.push(report) });
    await expect(pair.client.unary({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(reports).toEqual([]);
  });

  it('is cheap: thousands of cancelled calls leave the connection open', async () => {
    const connections = new Set<string>();
    await using pair = await startPair({
      serverStream: async function* (_request, { signal, peer }) {
        connections.add(peer);
        yield {};
        await aborted(signal);
      },
    });
    const cancelMany = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        const stream = pair.client.serverStream({});
        await stream.next();
        await stream.return();
      }
    };
    await Promise.all(Array.from({ length: 40 }, cancelMany));
    expect(connections.size).toBe(1);
  });

  it('is noticed when the caller is gone', async () => {
    const { handlers, begun, ended } = waitingHandlers();
    await using pair = await startPair(handlers);
    using call = rawCall(pair.server.port, 'Unary', framed(Buffer.alloc(0)));
    call.stream.end();
    await begun;
    call.session.destroy();
    expect(await ended).toMatchObject({ code: 'cancelled' });
  });
});

describe('a call made for another', () => {
  /** `outer` calls `inner` on behalf of its own caller. */
  async function chain(inner: Partial<TestHandlers>, deadlineMs: number) {
    const last = await startPair(inner);
    const first = await startPair({ unary: (_request, parent) => last.client.unary({}, { parent, deadlineMs }) });
    return {
      client: first.client,
      async [Symbol.asyncDispose]() {
        await first[Symbol.asyncDispose]();
        await last[Symbol.asyncDispose]();
      },
    };
  }

  it('is cancelled with it', async () => {
    const { handlers, begun, ended } = waitingHandlers();
    await using pair = await chain(handlers, 10_000);
    const controller = new AbortController();
    const call = pair.client.unary({}, { signal: controller.signal });
    await begun;
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    expect(await ended).toMatchObject({ code: 'cancelled' });
  });

  it('has no longer a deadline, nor a longer one of its own', async () => {
    const remaining: number[] = [];
    const handlers = {
      unary: (_request: object, { deadline }: CallContext) => {
        remaining.push(deadline - Date.now());
        return {};
      },
    };
    for (const [own, parent] of [
      [10_000, 3000],
      [3000, 10_000],
    ] as const) {
      await using pair = await chain(handlers, own);
      await pair.client.unary({}, { deadlineMs: parent });
    }
    for (const ms of remaining) {
      expect(ms).toBeGreaterThan(2000);
      expect(ms).toBeLessThanOrEqual(3000);
    }
  });

  it('carries its request id and trace, and none of its credentials', async () => {
    let context: CallContext | undefined;
    await using pair = await chain({ unary: (_request, given) => ((context = given), {}) }, 10_000);
    await pair.client.unary(
      {},
      { metadata: { traceparent: '00-a-b-01', 'x-request-id': 'r-9', authorization: 'Bearer x' } },
    );
    expect(context!.requestId).toBe('r-9');
    expect(context!.metadata.get('traceparent')).toBe('00-a-b-01');
    expect(context!.metadata.get('authorization')).toBeNull();
  });
});

describe('back-pressure', () => {
  const padding = new Uint8Array(1000);

  it('holds a server that has a million messages for a caller that reads slowly', async () => {
    let made = 0;
    await using pair = await startPair({
      serverStream: async function* () {
        for (; made < 1_000_000; made++) yield await Promise.resolve({ padding });
      },
    });
    const stream = pair.client.serverStream({});
    for (let read = 0; read < 100; read++) await stream.next();
    await delay(300);
    // The windows of HTTP/2 and the buffers of either side hold some hundreds of kilobytes.
    expect(made).toBeGreaterThanOrEqual(100);
    expect(made).toBeLessThan(1000);
    const before = made;
    for (let read = 0; read < 2000; read++) await stream.next();
    expect(made).toBeGreaterThan(before);
    await stream.return();
  });

  it('holds a client that has a million messages for a server that reads slowly', async () => {
    let made = 0;
    async function* requests(): AsyncGenerator<{ number: number; padding: Uint8Array }> {
      for (; made < 1_000_000; made++) yield await Promise.resolve({ number: 1, padding });
    }
    const go = Promise.withResolvers<undefined>();
    await using pair = await startPair({
      clientStream: async (given) => {
        let sum = 0;
        for await (const { number } of given) {
          sum += number;
          if (sum === 100) await go.promise;
          if (sum === 2000) break;
        }
        return { sum };
      },
    });
    const call = pair.client.clientStream(requests());
    await delay(300);
    // As above, and the MiB that grpc-js keeps for a retry.
    expect(made).toBeGreaterThanOrEqual(100);
    expect(made).toBeLessThan(2000);
    go.resolve(undefined);
    expect((await call).sum).toBe(2000);
  });
});
