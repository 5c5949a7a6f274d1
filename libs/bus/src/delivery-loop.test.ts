import { expect, it, onTestFinished } from 'vitest';
import { CrucibleError } from '@crucible/foundation';
import type { BusNotice } from './bus.ts';
import { DeliveryLoop } from './delivery-loop.ts';
import type { DeliveryLoopOptions } from './delivery-loop.ts';
import { resolveDeliveryOptions } from './delivery-options.ts';
import { RecentIds } from './recent-ids.ts';
import { progress } from './sample-events.ts';
import type { Parcel } from './transport.ts';

/** A loop over a list of parcels, and what was decided about them. */
function run(
  parcels: readonly (Partial<Parcel> | Error)[],
  handler: DeliveryLoopOptions['handler'],
  options: Partial<DeliveryLoopOptions> = {},
) {
  const decisions: string[] = [];
  const notices: BusNotice[] = [];
  const left = [...parcels];
  const loop = new DeliveryLoop({
    ...resolveDeliveryOptions({ backoff: [10, 20] }),
    kind: 'queue',
    cursor: {
      name: 'jobs',
      next: async (signal) => {
        const parcel = left.shift();
        if (parcel instanceof Error) throw parcel;
        if (parcel !== undefined) return complete(parcel, decisions);
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        return undefined;
      },
      close: () => {
        decisions.push('close');
        return Promise.resolve();
      },
    },
    slots: 1,
    handler,
    handled: new RecentIds({ capacity: 10 }),
    bury: (letter) => {
      decisions.push(`bury ${letter.sequence}`);
      return Promise.resolve();
    },
    notify: (notice) => void notices.push(notice),
    drainDeadline: 100,
    ...options,
  });
  onTestFinished(() => loop.close());
  return { loop, decisions, notices };
}

function complete(parcel: Partial<Parcel>, decisions: string[]): Parcel {
  const sequence = parcel.sequence ?? 1;
  return {
    content: progress('a', sequence),
    sequence,
    attempt: 1,
    settle: () => Promise.resolve(void decisions.push(`settle ${sequence}`)),
    giveBack: (delay) => Promise.resolve(void decisions.push(`give back ${sequence} ${delay}`)),
    extend: () => void decisions.push(`extend ${sequence}`),
    ...parcel,
  };
}

it('settles an event that it has handled already without handling it again', async () => {
  const handled: number[] = [];
  const { decisions } = run([{ sequence: 1 }, { sequence: 1, attempt: 2 }, { sequence: 2 }], ({ sequence }) => {
    handled.push(sequence);
  });
  await expect.poll(() => decisions).toEqual(['settle 1', 'settle 1', 'settle 2']);
  expect(handled).toEqual([1, 2]);
});

it('handles an event again that it could not settle only where another process would have to', async () => {
  const settle = (): Promise<void> => Promise.reject(new CrucibleError('unavailable', 'no connection'));
  const handled: number[] = [];
  const { decisions, notices } = run(
    [
      { sequence: 1, settle },
      { sequence: 1, attempt: 2 },
    ],
    ({ attempt }) => {
      handled.push(attempt);
    },
  );
  await expect.poll(() => decisions, { timeout: 3000 }).toEqual(['settle 1']);
  expect(handled).toEqual([1]);
  expect(notices).toMatchObject([{ kind: 'trouble', error: { code: 'unavailable', message: 'no connection' } }]);
});

it('does not begin an event that it still handles', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let handled = 0;
  const { decisions } = run(
    [{ sequence: 1 }, { sequence: 1, attempt: 2 }],
    async () => {
      handled++;
      await promise;
    },
    { slots: 2, ackWait: 5000 },
  );
  await expect.poll(() => decisions).toEqual(['give back 1 5000']);
  resolve(undefined);
  await expect.poll(() => decisions).toEqual(['give back 1 5000', 'settle 1']);
  expect(handled).toBe(1);
});

it('chooses the pause by the attempt, the last one for all further', async () => {
  const { decisions } = run(
    [1, 2, 3, 4].map((attempt) => ({ sequence: attempt, attempt })),
    () => {
      throw new Error('no');
    },
  );
  await expect.poll(() => decisions).toEqual(['give back 1 10', 'give back 2 20', 'give back 3 20', 'give back 4 20']);
});

it('rejects for good even if the handler catches what reject throws', async () => {
  const { decisions } = run([{ sequence: 1 }], ({ reject }) => {
    try {
      reject('no');
    } catch {
      // As a handler with a catch-all would.
    }
  });
  await expect.poll(() => decisions).toEqual(['bury 1', 'settle 1']);
});

it('settles nothing whose letter is not stored', async () => {
  const bury = (): Promise<void> => Promise.reject(new CrucibleError('unavailable', 'no connection'));
  const { decisions, notices } = run([{ attempt: 6 }], () => undefined, { bury });
  await expect.poll(() => notices).toMatchObject([{ kind: 'trouble', error: { message: 'no connection' } }]);
  expect(decisions).toEqual([]);
});

it('goes on after its cursor has failed', async () => {
  const { decisions, notices } = run([new Error('broken'), { sequence: 1 }], () => undefined);
  await expect.poll(() => decisions, { timeout: 3000 }).toEqual(['settle 1']);
  expect(notices).toMatchObject([{ kind: 'trouble', error: { message: 'broken' } }]);
});

it('ends handlers that run beyond the drain deadline, and gives back what they held', async () => {
  const { loop, decisions } = run(
    [{ sequence: 1 }],
    ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  const before = performance.now();
  await loop.close();
  expect(performance.now() - before).toBeGreaterThanOrEqual(95);
  expect(decisions).toEqual(['give back 1 0', 'close']);
});
