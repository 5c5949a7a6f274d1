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
