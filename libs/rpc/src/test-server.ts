/** A server with every kind of call, for tests. */
import { CrucibleError } from '@crucible/foundation';
import { createClient } from './client.ts';
import type { Client, ClientOptions } from './client.ts';
import { RpcTestService } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import type { Server, ServerOptions } from './server.ts';
import { implementService } from './service.ts';
import type { Handlers, ServiceImplementation } from './service.ts';

export type TestHandlers = Handlers<typeof RpcTestService>;
export type TestClient = Client<typeof RpcTestService>;

export interface TestPair extends AsyncDisposable {
  readonly server: Server;
  readonly client: TestClient;
}

function missing(): never {
  throw new CrucibleError('unimplemented', 'this test does not answer that call');
}

export function testService(handlers: Partial<TestHandlers>): ServiceImplementation {
  return implementService(RpcTestService, {
    unary: missing,
    serverStream: missing,
    clientStream: missing,
    bidiStream: missing,
    ...handlers,
  });
}

/** A server on a free port and a client of it. What is still at work when the test is over is aborted. */
export async function startPair(
  handlers: Partial<TestHandlers>,
  serverOptions: Partial<ServerOptions> = {},
  clientOptions: ClientOptions<typeof RpcTestService> = {},
): Promise<TestPair> {
  const server = await createServer({ port: 0, services: [testService(handlers)], ...serverOptions });
  const client = createClient(RpcTestService, server.target, clientOptions);
  return {
    server,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await server.drain({ graceMs: 0 });
    },
  };
}

export async function* streamOf<T>(...items: T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) yield await Promise.resolve(item);
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Waits until `signal` is aborted, as a handler does that has nothing to say. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}
