import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, requireNatsServer, startNatsServer } from '@crucible/testing';
import type { NatsServer, NatsServerOptions } from '@crucible/testing';
import type { Bus } from '../bus.ts';
import { createNatsBus } from '../nats/nats-bus.ts';
import { manageStreams } from '../nats/manage-streams.ts';
import type { NatsBusOptions } from '../nats/options.ts';
import { progress, submitted } from '../sample-events.ts';
import { RunningProgram } from './run-process.ts';
import { killWhilePublishing } from './kill-while-publishing.ts';

async function start(options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = await startNatsServer(options);
  onTestFinished(() => server.stop());
  return server;
}

async function open(url: string, options: Partial<NatsBusOptions> = {}): Promise<Bus> {
  const bus = await createNatsBus({ servers: url, drainDeadline: 1000, ...options });
  onTestFinished(() => bus.close());
  return bus;
}

requireNatsServer('the bus over NATS, when things break', () => {
  it('loses no acknowledged event and repeats none when the server is killed while events flow', async () => {
    const { verdict, statuses } = await killWhilePublishing({ kills: 2, lanes: 2 });
    expect(verdict).toMatchObject({ lost: [], unexpected: [], repeated: [] });
    expect(verdict.counts.acknowledged).toBeGreaterThan(100);
    expect(statuses).toEqual(['reconnecting', 'connected', 'reconnecting', 'connected', 'closed']);
  });

  it('says so when no server answers in time', async () => {
    const port = await freePort();
    const before = performance.now();
    await expect(
      createNatsBus({ servers: `nats://someone:secret@127.0.0.1:${port}`, connectDeadline: 500 }),
    ).rejects.toMatchObject({
      code: 'unavailable',
      message: `nats://127.0.0.1:${port}: no NATS server within 500 ms: connection refused`,
    });
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it('waits for a name that is not there yet', async () => {
    await expect(
      createNatsBus({ servers: 'nats://nats.does-not-exist.invalid', connectDeadline: 300 }),
    ).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('connects to a server that comes a little later', async () => {
    const port = await freePort();
    const opening = open(`nats://127.0.0.1:${port}`);
    await sleep(300);
    await start({ port });
    const bus = await opening;
    await expect(bus.publish(progress('a', 1))).resolves.toEqual({ sequence: 1, duplicate: false });
  });

  it('lets publishers wait during an outage, up to their deadline', async () => {
    const server = await start();
    const bus = await open(server.url);
    await bus.publish(progress('a', 1));
    await server.kill();
    await expect.poll(() => bus.status).toBe('reconnecting');
    expect(await bus.health()).toEqual({
      ready: false,
      status: 'reconnecting',
      detail: `${server.url}: reconnecting`,
    });

    const before = performance.now();
    await expect(bus.publish(progress('a', 2), { deadline: 400 })).rejects.toMatchObject({
      code: 'unavailable',
      message: `${server.url}: publishing crucible.job.progress a-2: no answer within 400 ms: there was no connection`,
    });
    expect(performance.now() - before).toBeGreaterThanOrEqual(395);

    const patient = bus.publish(progress('a', 3));
    await sleep(300);
    await server.restart();
    await expect(patient).resolves.toEqual({ sequence: 2, duplicate: false });
    expect(bus.status).toBe('connected');
  });

  it('gives the job of a worker that was killed to another', async () => {
    const server = await start();
    const bus = await open(server.url);
    const took = Promise.withResolvers<string>();
    const worker = new RunningProgram('worker-process.ts', [server.url, '1000'], took.resolve);
    onTestFinished(() => worker.kill());
    await bus.publish(submitted('job'));
    expect(await took.promise).toBe('took job 1');
    await worker.kill();
    const received: string[] = [];
    await bus.consume('jobs', { ackWait: 1000 }, ({ event, attempt }) => void received.push(`${event.id} ${attempt}`));
    await expect.poll(() => received, { timeout: 5000 }).toEqual(['job 2']);
  });

  it('settles what was handled during an outage, once the server is back', async () => {
    const server = await start();
    const bus = await open(server.url);
    const received: string[] = [];
    await bus.consume('jobs', { ackWait: 5000 }, async ({ event }) => {
      received.push(`begin ${event.id}`);
      if (event.id === 'job') {
        await server.kill();
        await sleep(200);
      }
      received.push(`end ${event.id}`);
    });
    await bus.publish(submitted('job'));
    await expect.poll(() => received, { timeout: 5000 }).toEqual(['begin job', 'end job']);
    await server.restart();
    await bus.publish(submitted('next'));
    await expect.poll(() => received, { timeout: 5000 }).toEqual(['begin job', 'end job', 'begin next', 'end next']);
    await bus.close();

    const again = await open(server.url);
    await again.consume('jobs', {}, ({ event }) => void received.push(`again ${event.id}`));
    await sleep(500);
    expect(received).toHaveLength(4);
  });

  it('goes on, each event once, when the server forgets its place', async () => {
    const server = await start();
    const bus = await open(server.url);
    const received: number[] = [];
    await bus.subscribe('crucible.job.progress', {}, ({ event }) => void received.push(event.data.step));
    await bus.publish(progress('a', 1));
    await expect.poll(() => received).toEqual([1]);
    // The place of a subscription without a name is in memory alone.
    await server.kill();
    await server.restart();
    await bus.publish(progress('a', 2));
    await expect.poll(() => received, { timeout: 5000 }).toEqual([1, 2]);
  });

  it('makes its streams again when they are removed under it', async () => {
    const server = await start();
    const bus = await open(server.url);
    const received: number[] = [];
    await bus.subscribe('crucible.job.progress', { durable: 'reader' }, ({ event }) => {
      received.push(event.data.step);
    });
    for (const step of [1, 2, 3]) await bus.publish(progress('a', step));
    await expect.poll(() => received).toEqual([1, 2, 3]);
    await manageStreams(server.url, async ({ streams }) => {
      for (const name of await streams.names().next()) await streams.delete(name);
    });
    await bus.publish(progress('a', 4));
    await expect.poll(() => received, { timeout: 15_000 }).toEqual([1, 2, 3, 4]);
  });
});
