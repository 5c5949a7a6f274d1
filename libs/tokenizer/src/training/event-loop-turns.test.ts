import { expect, it } from 'vitest';
import { EventLoopTurns } from './event-loop-turns.ts';

it('EventLoopTurns lets others run when a turn is due, and not before', async () => {
  expect(new EventLoopTurns(60_000).due()).toBe(false);
  const turns = new EventLoopTurns(0);
  let othersRan = false;
  setImmediate(() => (othersRan = true));
  expect(turns.due()).toBe(true);
  await turns.take();
  expect(othersRan).toBe(true);
});
