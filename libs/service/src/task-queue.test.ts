import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TaskQueue } from './task-queue.ts';

test('tasks run one at a time, in their order, and one that fails fails alone', async () => {
  const queue = new TaskQueue();
  const log: string[] = [];
  const task = (name: string, ms: number) => async (): Promise<string> => {
    log.push(`${name} begins`);
    await delay(ms);
    log.push(`${name} ends`);
    if (name === 'b') throw new Error('b failed');
    return name;
  };
  const results = await Promise.allSettled([
    queue.run(task('a', 20)),
    queue.run(task('b', 1)),
    queue.run(task('c', 5)),
  ]);
  expect(results).toMatchObject([{ value: 'a' }, { reason: { message: 'b failed' } }, { value: 'c' }]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('a task that is cancelled while it waits fails at once and never runs; one that runs goes on to its end', async () => {
  const queue = new TaskQueue();
  const log: string[] = [];
  const [running, waiting] = [new AbortController(), new AbortController()];
  const end = Promise.withResolvers<string>();
  const first = queue.run(() => end.promise, running.signal);
  const second = queue.run(() => Promise.resolve(log.push('second')), waiting.signal);
  const third = queue.run(() => Promise.resolve(log.push('third')));
  await delay(1);
  running.abort();
  waiting.abort();
  const error = { code: 'cancelled', message: 'cancelled while it waited for its turn' };
  await expect(second).rejects.toMatchObject(error);
  await expect(queue.run(() => Promise.resolve(log.push('fourth')), waiting.signal)).rejects.toMatchObject(error);
  expect(log).toEqual([]);
  end.resolve('ended');
  await expect(first).resolves.toBe('ended');
  await third;
  expect(log).toEqual(['third']);
});
