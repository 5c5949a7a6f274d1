/** What every bus keeps, whatever carries it. nats-bus.test.ts and embedded-bus.test.ts run it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus, BusNotice, Delivery, Subscription } from './bus.ts';
import { createEvent } from './event.ts';
import type { BusEvent } from './event.ts';
import { progress, submitted } from './sample-events.ts';

export interface BusUnderTest {
  /** Opens a bus on the store of this test, with a `drainDeadline` of half a second. */
  open(): Promise<Bus>;
  /** Whether the store is there after its bus was closed. */
  readonly isKept: boolean;
  /** Called after every test, when all its buses are closed. */
  dispose(): Promise<void>;
}

const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

export function describeBusContract(name: string, createBusUnderTest: () => BusUnderTest): void {
  describe(name, () => {
    let underTest: BusUnderTest | undefined;
    const buses: Bus[] = [];
    const open = async (): Promise<Bus> => {
      underTest ??= createBusUnderTest();
      const bus = await underTest.open();
      buses.push(bus);
      return bus;
    };
    afterEach(async () => {
      for (const bus of buses.splice(0)) await bus.close();
      await underTest?.dispose();
      underTest = undefined;
    });

    describe('publish', () => {
      it('numbers events upwards', async () => {
        const bus = await open();
        const first = await bus.publish(progress('a', 1));
        const second = await bus.publish(progress('a', 2));
        expect(first.duplicate).toBe(false);
        expect(second.sequence).toBeGreaterThan(first.sequence);
      });

      it('stores an id once', async () => {
        const bus = await open();
        const first = await bus.publish(progress('a', 1));
        await expect(bus.publish(progress('a', 1))).resolves.toEqual({ sequence: first.sequence, duplicate: true });
        const both = await Promise.all([bus.publish(submitted('j')), bus.publish(submitted('j'))]);
        expect(both.map(({ duplicate }) => duplicate).sort()).toEqual([false, true]);

        const received: string[] = [];
        await bus.subscribe('crucible.>', { from: 'all' }, ({ event }) => void received.push(event.id));
        await bus.publish(progress('a', 2));
        await expect.poll(() => received).toEqual(['a-1', 'j', 'a-2']);
      });

      it('refuses what the catalogue does not know, before anything is stored', async () => {
        const bus = await open();
        const bad = { ...progress('a', 1), data: { ...progress('a', 1).data, metrics: { loss: NaN } } };
        await expect(bus.publish(bad)).rejects.toMatchObject({
          code: 'invalid-input',
          at: 'data.metrics.loss',
          message: 'crucible.job.progress: data.metrics.loss: Invalid input: expected number, received NaN',
        });
        await expect(bus.publish(progress('a', 1))).resolves.toMatchObject({ duplicate: false });
      });

      it('refuses data beyond the size limit', async () => {
        const bus = await open();
        const event = submitted('large');
        const large = { ...event, data: { ...event.data, spec: { text: 'x'.repeat(1_000_000) } } };
        await expect(bus.publish(large)).rejects.toMatchObject({ code: 'invalid-input', at: 'data' });
        const most = { ...event, data: { ...event.data, spec: { text: 'x'.repeat(999_000) } } };
        await expect(bus.publish(most)).resolves.toMatchObject({ duplicate: false });
      });

      it('refuses a deadline beyond the time in which ids are known', async () => {
        const bus = await open();
        await expect(bus.publish(progress('a', 1), { deadline: 120_001 })).rejects.toThrow(
          'deadline is 120001; it must be between 1 and 120000',
        );
      });
    });

    describe('subscribe', () => {
      it('hands every event to every subscriber, whole and in order', async () => {
        const bus = await open();
        const events = [
          ...Array.from({ length: 50 }, (_, step) => progress('a', step)),
          createEvent('crucible.document.deleted', {
            id: 'é "quoted" 100% 日本',
            source: '/a?b=%20',
            subject: 'über uns',
            time: '2026-11-23T12:00:00.5+01:00',
            data: { documentId: 'line\nbreak\t😀', collection: '\u0000\u2028' },
          }),
        ];
        const received: BusEvent[][] = [[], []];
        for (const into of received) await bus.subscribe('crucible.>', {}, ({ event }) => void into.push(event));
        for (const event of events) await bus.publish(event);
        await expect.poll(() => received.map(({ length }) => length)).toEqual([events.length, events.length]);
        expect(received).toEqual([events, events]);
      });

      it('hands out the types that were asked for', async () => {
        const bus = await open();
        const received: string[] = [];
        await bus.subscribe(['crucible.document.*', 'crucible.job.submitted'], {}, ({ event }) => {
          received.push(event.type);
        });
        await bus.publish(progress('a', 1));
        await bus.publish(submitted('a'));
        for (const type of ['crucible.document.deleted', 'crucible.job.cancelled'] as const) {
          const data = { documentId: 'd', collection: 'c', jobId: 'a', kind: 'sft' };
          await bus.publish(createEvent(type, { source: '/test', data }));
        }
        await bus.publish(submitted('b'));
        await expect
          .poll(() => received)
          .toEqual(['crucible.job.submitted', 'crucible.document.deleted', 'crucible.job.submitted']);
      });

      it('begins with new events, with all, or at a sequence', async () => {
        const bus = await open();
        await bus.publish(progress('a', 1));
        const { sequence } = await bus.publish(progress('a', 2));
        await bus.publish(progress('a', 3));
        const received: Record<string, number[]> = { new: [], all: [], sequence: [] };
        const into =
          (steps: number[]) =>
          ({ event }: Delivery<'crucible.job.progress'>): void =>
            void steps.push(event.data.step);
        await bus.subscribe('crucible.job.progress', {}, into(received['new']!));
        await bus.subscribe('crucible.job.progress', { from: 'all' }, into(received['all']!));
        await bus.subscribe('crucible.job.progress', { from: sequence }, into(received['sequence']!));
        await bus.publish(progress('a', 4));
        await expect.poll(() => received).toEqual({ new: [4], all: [1, 2, 3, 4], sequence: [2, 3, 4] });
      });

      it('goes on where a durable subscription stopped', async () => {
        const bus = await open();
        const received: string[] = [];
        const start = (): Promise<Subscription> =>
          bus.subscribe('crucible.job.*', { durable: 'watcher', from: 'all' }, ({ event }) => {
            received.push(event.id);
          });
        await bus.publish(progress('a', 1));
        const subscription = await start();
        await expect.poll(() => received).toEqual(['a-1']);
        await subscription.close();
        await bus.publish(progress('a', 2));
        await bus.publish(progress('a', 3));
        await start();
        await expect.poll(() => received).toEqual(['a-1', 'a-2', 'a-3']);
      });

      it('shares one place among subscriptions of one durable name, one event at a time', async () => {
        const bus = await open();
        const received: string[] = [];
        let running = 0;
        let most = 0;
        for (let subscriber = 0; subscriber < 2; subscriber++)
          await bus.subscribe('crucible.job.*', { durable: 'shared' }, async ({ event }) => {
            most = Math.max(most, ++running);
            await sleep(5);
            received.push(event.id);
            running--;
          });
        for (let step = 0; step < 20; step++) await bus.publish(progress('a', step));
        await expect.poll(() => received).toEqual(Array.from({ length: 20 }, (_, step) => `a-${step}`));
        expect(most).toBe(1);
      });

      it('retries with pauses, holds back later events, and gives up in the end', async () => {
        const bus = await open();
        const notices: BusNotice[] = [];
        bus.observe((notice) => void notices.push(notice));
        const received: string[] = [];
        const times: number[] = [];
        await bus.subscribe(
          'crucible.job.*',
          { durable: 'picky', maxDeliver: 3, backoff: [50, 200] },
          ({ event, attempt }) => {
            received.push(`${event.id} ${attempt}`);
            times.push(performance.now());
            if (event.id === 'a-1') throw new Error('no thanks');
          },
        );
        const { sequence } = await bus.publish(progress('a', 1));
        await bus.publish(progress('a', 2));
        await expect.poll(() => received).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'a-2 1']);
        expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(45);
        expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(195);

        const letters = await bus.deadLetters();
        expect(letters).toMatchObject([
          {
            from: { kind: 'subscription', name: 'picky' },
            reason: 'failed in 3 of 3 deliveries: no thanks',
            attempts: 3,
            sequence,
            event: { id: 'a-1', data: { step: 1 } },
          },
        ]);
        expect(notices).toMatchObject([
          { kind: 'retry', from: { name: 'picky' }, eventId: 'a-1', attempt: 1, error: { message: 'no thanks' } },
          { kind: 'retry', eventId: 'a-1', attempt: 2 },
          { kind: 'dead-letter', letter: { sequence } },
        ]);
      });

      it('delivers again what overran its time, unless the handler says that it works', async () => {
        const bus = await open();
        const received: string[] = [];
        await bus.subscribe('crucible.job.*', { ackWait: 300 }, async ({ event, attempt, signal, working }) => {
          received.push(`${event.id} ${attempt}`);
          if (event.id === 'a-1' && attempt === 1) await never(signal);
          if (event.id === 'a-2')
            for (let i = 0; i < 6; i++) {
              await sleep(100, undefined, { signal });
              working();
            }
        });
        await bus.publish(progress('a', 1));
        await bus.publish(progress('a', 2));
        await bus.publish(progress('a', 3));
        await expect.poll(() => received, { timeout: 5000 }).toEqual(['a-1 1', 'a-1 2', 'a-2 1', 'a-3 1']);
      });

      it('ends at once when its signal is aborted, and the event comes again', async () => {
        const bus = await open();
        const controller = new AbortController();
        const received: string[] = [];
        const options = { durable: 'stopped', ackWait: 60_000 };
        const subscription = await bus.subscribe(
          'crucible.job.*',
          { ...options, signal: controller.signal },
          (delivery) => {
            received.push(`first ${delivery.event.id}`);
            return never(delivery.signal);
          },
        );
        await bus.publish(progress('a', 1));
        await expect.poll(() => received).toEqual(['first a-1']);
        controller.abort();
        await subscription.closed;
        await bus.subscribe('crucible.job.*', options, ({ event, attempt }) => {
          received.push(`second ${event.id} ${attempt}`);
        });
        await expect.poll(() => received).toEqual(['first a-1', 'second a-1 2']);
      });

      it('names what is wrong with its options', async () => {
        const bus = await open();
        const handler = (): void => undefined;
        await expect(bus.subscribe('crucible.jobs.*' as 'crucible.job.*', {}, handler)).rejects.toThrow(
          'patterns ["crucible.jobs.*"]: each must be crucible.>, crucible.FAMILY.* or one of crucible.job.submitted',
        );
        await expect(bus.subscribe('crucible.>', { durable: 'a.b' }, handler)).rejects.toThrow(
          'durable is "a.b"; it must be 1 to 64 letters, digits, - and _',
        );
        await expect(bus.subscribe('crucible.>', { from: 0 }, handler)).rejects.toThrow(
          'from is 0; it must be between 1',
        );
        await expect(bus.subscribe('crucible.>', { backoff: [] }, handler)).rejects.toThrow(
          'backoff is empty; it needs at least one pause',
        );
        await expect(bus.consume('job' as 'jobs', {}, handler)).rejects.toThrow(
          'queue "job": must be one of jobs, rollouts, ingests',
        );
        await expect(bus.consume('jobs', { maxInFlight: 1.5 }, handler)).rejects.toThrow(
          'maxInFlight is 1.5; it must be a whole number',
        );
        await expect(bus.consume('jobs', { signal: AbortSignal.abort() }, handler)).rejects.toThrow(
          'the subscription was cancelled',
        );
      });
    });

    describe('consume', () => {
      it('gives each event to one worker, also work that came before the first worker', async () => {
        const bus = await open();
        const ids = Array.from({ length: 30 }, (_, i) => `job-${i}`);
        for (const id of ids.slice(0, 15)) await bus.publish(submitted(id));
        const received: Record<string, string[]> = { x: [], y: [] };
        for (const worker of Object.keys(received))
          await bus.consume('jobs', { maxInFlight: 2 }, async ({ event }) => {
            await sleep(10);
            received[worker]!.push(event.data.jobId);
          });
        for (const id of ids.slice(15)) await bus.publish(submitted(id));
        await expect.poll(() => Object.values(received).flat().sort()).toEqual([...ids].sort());
        expect(received['x']!.length).toBeGreaterThan(0);
        expect(received['y']!.length).toBeGreaterThan(0);
      });

      it('handles maxInFlight events at the same time and no more', async () => {
        const bus = await open();
        let running = 0;
        let most = 0;
        let done = 0;
        await bus.consume('jobs', { maxInFlight: 3 }, async () => {
          most = Math.max(most, ++running);
          await sleep(50);
          running--;
          done++;
        });
        await Promise.all(Array.from({ length: 12 }, (_, i) => bus.publish(submitted(`job-${i}`))));
        await expect.poll(() => done, { timeout: 5000 }).toBe(12);
        expect(most).toBe(3);
      });

      it('retries what failed, others meanwhile, and gives up in the end', async () => {
        const bus = await open();
        const received: string[] = [];
        await bus.consume('jobs', { maxDeliver: 2, backoff: [300] }, ({ event, attempt }) => {
          received.push(`${event.id} ${attempt}`);
          if (event.id === 'bad') throw new Error('out of memory');
        });
        await bus.publish(submitted('bad'));
        await bus.publish(submitted('good'));
        await expect.poll(() => received).toEqual(['bad 1', 'good 1', 'bad 2']);
        await expect
          .poll(() => bus.deadLetters())
          .toMatchObject([
            {
              from: { kind: 'queue', name: 'jobs' },
              reason: 'failed in 2 of 2 deliveries: out of memory',
              attempts: 2,
              event: { id: 'bad', type: 'crucible.job.submitted' },
            },
          ]);
        await sleep(500);
        expect(received).toHaveLength(3);
      });

      it('gives up at once what a handler rejects, and lists dead letters newest first', async () => {
        const bus = await open();
        const attempts: string[] = [];
        await bus.consume('jobs', {}, ({ event, attempt, reject }) => {
          attempts.push(`${event.id} ${attempt}`);
          reject(`unknown kind ${event.data.kind}`);
        });
        for (const id of ['first', 'second', 'third']) await bus.publish(submitted(id));
        await expect.poll(async () => (await bus.deadLetters()).map(({ event }) => event?.id)).toHaveLength(3);
        expect(await bus.deadLetters()).toMatchObject(
          ['third', 'second', 'first'].map((id) => ({ event: { id }, reason: 'unknown kind sft', attempts: 1 })),
        );
        expect(await bus.deadLetters({ limit: 1 })).toMatchObject([{ event: { id: 'third' } }]);
        expect(attempts).toEqual(['first 1', 'second 1', 'third 1']);
      });

      it('passes the event of a worker that overran its time to another', async () => {
        const bus = await open();
        const received: string[] = [];
        const end = Promise.withResolvers<undefined>();
        await bus.consume('jobs', { ackWait: 200 }, async ({ attempt }) => {
          received.push(`first ${attempt}`);
          // As a worker whose machine has stopped.
          await end.promise;
        });
        await bus.publish(submitted('job'));
        await expect.poll(() => received).toEqual(['first 1']);
        await bus.consume('jobs', { ackWait: 200 }, ({ attempt }) => void received.push(`second ${attempt}`));
        await expect.poll(() => received, { timeout: 5000 }).toEqual(['first 1', 'second 2']);
        end.resolve(undefined);
      });

      it('leaves the event with a worker that says that it works', async () => {
        const bus = await open();
        const received: string[] = [];
        for (const worker of ['first', 'second'])
          await bus.consume('jobs', { ackWait: 300 }, async ({ attempt, working, signal }) => {
            received.push(`${worker} ${attempt}`);
            for (let i = 0; i < 8; i++) {
              await sleep(100, undefined, { signal });
              working();
            }
            received.push('done');
          });
        await bus.publish(submitted('job'));
        await expect.poll(() => received, { timeout: 5000 }).toContain('done');
        await sleep(500);
        expect(received).toEqual([expect.stringMatching(/^(first|second) 1$/), 'done']);
      });

      it('gives an event back at once when the worker is cancelled', async () => {
        const bus = await open();
        const controller = new AbortController();
        const received: string[] = [];
        await bus.consume('jobs', { ackWait: 60_000, signal: controller.signal }, ({ signal }) => {
          received.push('first');
          return never(signal);
        });
        await bus.publish(submitted('job'));
        await expect.poll(() => received).toEqual(['first']);
        await bus.consume('jobs', { ackWait: 60_000 }, ({ attempt }) => void received.push(`second ${attempt}`));
        const before = performance.now();
        controller.abort();
        await expect.poll(() => received).toEqual(['first', 'second 2']);
        expect(performance.now() - before).toBeLessThan(2000);
      });

      it('gives an event back when a cancelled handler goes on regardless', async () => {
        const bus = await open();
        const controller = new AbortController();
        const received: string[] = [];
        const subscription = await bus.consume('jobs', { ackWait: 60_000, signal: controller.signal }, () => {
          received.push('first');
          return new Promise(() => undefined);
        });
        await bus.publish(submitted('job'));
        await expect.poll(() => received).toEqual(['first']);
        controller.abort();
        await subscription.closed;
        await bus.consume('jobs', { ackWait: 60_000 }, ({ attempt }) => void received.push(`second ${attempt}`));
        await expect.poll(() => received).toEqual(['first', 'second 2']);
      });

      it('is a fact for subscribers as well', async () => {
        const bus = await open();
        const received: string[] = [];
        await bus.subscribe('crucible.rollout.*', {}, ({ event }) => void received.push(`fact ${event.id}`));
        await bus.consume('rollouts', {}, ({ event }) => void received.push(`work ${event.id}`));
        const rollout = createEvent('crucible.rollout.requested', {
          id: 'r',
          source: '/test',
          data: {
            rolloutId: 'r',
            jobId: 'j',
            model: 'm',
            version: 1,
            prompts: [[1, 2]],
            samples: 4,
            sampling: { maxTokens: 16, temperature: 1, seed: 0 },
          },
        });
        await bus.publish(rollout);
        await bus.publish(submitted('not for this queue'));
        await expect.poll(() => [...received].sort()).toEqual(['fact r', 'work r']);
      });
    });

    describe('close', () => {
      it('lets running handlers finish, and what they finished does not come again', async () => {
        const bus = await open();
        const received: string[] = [];
        await bus.consume('jobs', {}, async ({ event }) => {
          received.push(`begin ${event.id}`);
          await sleep(200);
          received.push(`end ${event.id}`);
        });
        await bus.publish(submitted('a'));
        await bus.publish(submitted('b'));
        await expect.poll(() => received).toEqual(['begin a']);
        await bus.close();
        expect(received).toEqual(['begin a', 'end a']);
        if (!underTest!.isKept) return;
        const again = await open();
        await again.consume('jobs', {}, ({ event, attempt }) => void received.push(`again ${event.id} ${attempt}`));
        await expect.poll(() => received.slice(2)).toEqual(['again b 1']);
        await sleep(300);
        expect(received.slice(2)).toEqual(['again b 1']);
      });

      it('lets a handler that finishes publish what it has done', async () => {
        const bus = await open();
        const facts: string[] = [];
        await bus.subscribe('crucible.job.progress', { from: 'all' }, ({ event }) => void facts.push(event.id));
        const { promise, resolve } = Promise.withResolvers<undefined>();
        const published = Promise.withResolvers<unknown>();
        await bus.consume('jobs', {}, async () => {
          resolve(undefined);
          await sleep(200);
          await bus.publish(progress('a', 1)).then(published.resolve, published.reject);
        });
        await bus.publish(submitted('job'));
        await promise;
        await bus.close();
        expect(await published.promise).toMatchObject({ duplicate: false });
        expect(await bus.publish(progress('a', 2)).catch((reason: unknown) => reason)).toMatchObject({
          code: 'failed-precondition',
        });
      });

      it('ends the bus for good', async () => {
        const bus = await open();
        const statuses: string[] = [];
        bus.observe((notice) => {
          if (notice.kind === 'status') statuses.push(notice.status);
        });
        expect(bus.status).toBe('connected');
        expect(await bus.health()).toMatchObject({ ready: true, status: 'connected' });
        const subscription = await bus.subscribe('crucible.>', {}, () => undefined);
        await bus.close();
        await subscription.closed;
        expect(bus.status).toBe('closed');
        expect(statuses).toEqual(['closed']);
        expect(await bus.health()).toMatchObject({ ready: false, status: 'closed' });
        for (const call of [
          bus.publish(progress('a', 1)),
          bus.subscribe('crucible.>', {}, () => undefined),
          bus.consume('jobs', {}, () => undefined),
          bus.deadLetters(),
        ])
          await expect(call).rejects.toMatchObject({ code: 'failed-precondition', message: 'the bus is closed' });
        await bus.close();
      });
    });

    it('goes on after a restart: events, places, work and dead letters', async (context) => {
      const bus = await open();
      if (!underTest!.isKept) context.skip('this bus keeps nothing');
      const received: string[] = [];
      const options = { durable: 'reader', from: 'all' } as const;
      await bus.subscribe('crucible.job.progress', options, ({ event }) => void received.push(event.id));
      const work = await bus.consume('jobs', {}, ({ event, reject }) => {
        received.push(event.id);
        if (event.id === 'job-bad') reject('no');
      });
      await bus.publish(progress('a', 1));
      for (const id of ['job-done', 'job-bad']) await bus.publish(submitted(id));
      await expect.poll(() => [...received].sort()).toEqual(['a-1', 'job-bad', 'job-done']);
      await work.close();
      await bus.publish(submitted('job-open'));
      await bus.close();

      const again = await open();
      const later: string[] = [];
      await expect(again.publish(progress('a', 1))).resolves.toMatchObject({ duplicate: true });
      const { sequence } = await again.publish(progress('a', 2));
      await again.subscribe('crucible.job.progress', options, ({ event }) => void later.push(event.id));
      await again.consume('jobs', {}, ({ event }) => void later.push(event.id));
      await expect.poll(() => [...later].sort()).toEqual(['a-2', 'job-open']);
      expect(sequence).toBe(5);
      expect(await again.deadLetters()).toMatchObject([{ reason: 'no', event: { id: 'job-bad' } }]);
    });
  });
}
