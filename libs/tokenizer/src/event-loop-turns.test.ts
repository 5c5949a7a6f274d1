import { expect, it } from 'vitest';
import { EventLoopTurns } from './event-loop-turns.ts';

it('EventLoopTurns lets others run when a turn is due, and not before', async () => {
  const turns = new EventLoopTurns(5);
  expect(turns.due()).toBe(false);
  let othersRan = false;
  setImmediate(() => (othersRan = true));
  const start = performance.now();
  while (!turns.due());
  expect(performance.now() - start).toBeGreaterThan(3);
  expect(othersRan).toBe(false);
  await turns.take();
  expect(othersRan).toBe(true);
  expect(turns.due()).toBe(false);
});
