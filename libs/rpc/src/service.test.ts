import { describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { RpcTestService } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import { implementService } from './service.ts';
import { streamOf } from './test-server.ts';
import type { TestHandlers } from './test-server.ts';

describe('implementService()', () => {
  it('calls the handlers of an object of a class as its methods', async () => {
    class Counter implements TestHandlers {
      #count = 0;

      unary(): { text: string } {
        return { text: `${++this.#count}` };
      }

      serverStream(): AsyncIterable<{ number: number }> {
        return streamOf({ number: this.#count });
      }

      clientStream(): Promise<{ sum: number }> {
        return Promise.resolve({ sum: this.#count });
      }

      bidiStream(): AsyncIterable<{ number: number }> {
        return streamOf({ number: this.#count });
      }
    }
    await using server = await createServer({ port: 0, services: [implementService(RpcTestService, new Counter())] });
    using client = createClient(RpcTestService, server.target);
    await client.unary({});
    expect((await client.unary({})).text).toBe('2');
  });
});
