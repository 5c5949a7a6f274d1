import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import {
  HealthCheckResponse_ServingStatus as WireStatus,
  Health as HealthService,
} from '@crucible/protos/grpc/health/v1';
import { service as publishedDefinition } from 'grpc-health-check';
import { describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { Health } from './health.ts';
import { createServer } from './server.ts';
import { testService } from './test-server.ts';

const serviceName = 'crucible.rpctest.v1.RpcTestService';

interface Answer {
  readonly status: string;
}

/** A client that others wrote, of the definition that others published. */
interface PublishedClient {
  check(request: { service?: string }, callback: (error: ServiceError | null, answer: Answer) => void): void;
  list(
    request: object,
    callback: (error: ServiceError | null, answer: { statuses: Record<string, Answer> }) => void,
  ): void;
  watch(request: { service?: string }): ClientReadableStream<Answer>;
  close(): void;
}

function publishedClient(target: string): PublishedClient {
  const PublishedHealth = makeClientConstructor(publishedDefinition, 'Health');
  return new PublishedHealth(target, credentials.createInsecure()) as unknown as PublishedClient;
}

describe('the health service', () => {
  it('answers clients of the published protocol', async () => {
    await using server = await createServer({ port: 0, services: [testService({})] });
    const client = publishedClient(server.target);
    const check = (service: string): Promise<string> =>
      new Promise((resolve, reject) => {
        client.check({ service }, (error, answer) => (error === null ? resolve(answer.status) : reject(error)));
      });
    expect(await check('')).toBe('SERVING');
    expect(await check(serviceName)).toBe('SERVING');
    server.health.set('NOT_SERVING', serviceName);
    expect(await check(serviceName)).toBe('NOT_SERVING');
    expect(await check('')).toBe('SERVING');
    await expect(check('no.such.Service')).rejects.toMatchObject({ code: 5 });
    const statuses = await new Promise((resolve) => {
      client.list({}, (_error, answer) => resolve(answer.statuses));
    });
    expect(statuses).toEqual({ '': { status: 'SERVING' }, [serviceName]: { status: 'NOT_SERVING' } });
    client.close();
  });

  it('tells those who watch of every change, and of nothing else', async () => {
    await using server = await createServer({ port: 0, services: [testService({})] });
    using client = createClient(HealthService, server.target);
    const watch = client.watch({ service: serviceName });
    const next = async (): Promise<WireStatus | undefined> => (await watch.next()).value?.status;
    expect(await next()).toBe(WireStatus.SERVING);
    server.health.set('SERVING', serviceName);
    server.health.set('NOT_SERVING');
    server.health.set('NOT_SERVING', serviceName);
    expect(await next()).toBe(WireStatus.NOT_SERVING);
    server.health.delete(serviceName);
    expect(await next()).toBe(WireStatus.SERVICE_UNKNOWN);
    server.health.set('SERVING', serviceName);
    expect(await next()).toBe(WireStatus.SERVING);
    await watch.return();
    await expect.poll(() => server.activeCalls).toBe(0);
  });

  it('does not end a watch at the deadline that other calls get, and does not keep a server from shutting down', async () => {
    await using server = await createServer({
      port: 0,
      services: [],
      limits: { defaultDeadlineMs: 50, maxDeadlineMs: 50 },
    });
    const client = publishedClient(server.target);
    const seen: string[] = [];
    const watch = client.watch({});
    watch.on('data', ({ status }: Answer) => seen.push(status));
    const ended = new Promise((resolve) => watch.on('end', resolve));
    await expect.poll(() => seen).toEqual(['SERVING']);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const begin = performance.now();
    await server.drain({ graceMs: 10_000 });
    expect(performance.now() - begin).toBeLessThan(5000);
    await ended;
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
    client.close();
  });

  it('can be made first, begin as NOT_SERVING and be shown on a second port', async () => {
    const health = new Health();
    health.set('NOT_SERVING', serviceName);
    await using server = await createServer({ port: 0, services: [testService({})], health });
    await using second = await createServer({ port: 0, services: [], health });
    using client = createClient(HealthService, second.target);
    expect(await client.check({ service: serviceName })).toMatchObject({ status: WireStatus.NOT_SERVING });
    server.health.set('SERVING', serviceName);
    expect(await client.check({ service: serviceName })).toMatchObject({ status: WireStatus.SERVING });
  });

  it('stays NOT_SERVING once it was stopped', () => {
    const health = new Health();
    health.set('SERVING');
    health.stop();
    health.set('SERVING');
    expect(health.get()).toBe('NOT_SERVING');
  });
});
