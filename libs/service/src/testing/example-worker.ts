/** A worker process with every way to answer, and not to. */
import { setTimeout as delay } from 'node:timers/promises';
import { invalidInput } from '@crucible/foundation';
import { serveWorker } from '../worker-process.ts';

export interface ExampleMethods {
  add: { args: readonly number[]; result: number; item: never };
  echo: { args: unknown; result: unknown; item: never };
  environment: { args: string; result: string | undefined; item: never };
  count: { args: number; result: string; item: number };
  refuse: { args: string; result: never; item: never };
  crash: { args: null; result: never; item: never };
  untilCancelled: { args: null; result: string; item: 'begun' };
  hang: { args: null; result: never; item: 'begun' };
  exit: { args: number; result: never; item: never };
}

serveWorker<ExampleMethods>({
  add: (numbers) => numbers.reduce((a, b) => a + b, 0),
  echo: (value) => value,
  environment: (name) => process.env[name],
  count: async (to, { emit }) => {
    for (let i = 1; i <= to; i++) await emit(i);
    return `counted to ${to}`;
  },
  refuse: (what) => {
    throw invalidInput(`${what} is not allowed`, { at: 'what' });
  },
  crash: () => {
    throw new TypeError('a bug in the worker');
  },
  untilCancelled: async (_args, { signal, emit }) => {
    await emit('begun');
    await delay(60_000, undefined, { signal }).catch(() => undefined);
    return `stopped: ${(signal.reason as Error).message}`;
  },
  hang: async (_args, { emit }) => {
    await emit('begun');
    for (;;);
  },
  exit: (code) => process.exit(code),
});
