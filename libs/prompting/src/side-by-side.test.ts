import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { sideBySide } from './side-by-side.ts';

async function drain<T, R>(steps: AsyncGenerator<T, R, undefined>): Promise<{ items: T[]; result: R }> {
  const items: T[] = [];
  for (;;) {
    const next = await steps.next();
    if (next.done === true) return { items, result: next.value };
    items.push(next.value);
  }
}

it('runs generators together, at most so many, and keeps the order of the results', async () => {
  let running = 0;
  let most = 0;
  const makers = [30, 5, 5, 5].map(
    (ms, i) =>
      async function* () {
        most = Math.max(most, ++running);
        yield `${i} begins`;
        await delay(ms);
        yield `${i} ends`;
        running--;
        return i * 10;
      },
  );
  const { items, result } = await drain(sideBySide(makers, 2));
  expect(result).toEqual([0, 10, 20, 30]);
  expect(most).toBe(2);
  expect(items).toHaveLength(8);
  // The slow first one has not held up the second.
  expect(items.indexOf('1 ends')).toBeLessThan(items.indexOf('0 ends'));
});

it('throws the first failure and leaves the others', async () => {
  let closed = 0;
  const endless = async function* () {
    try {
      for (;;) {
        await delay(1);
        yield 'more';
      }
    } finally {
      closed++;
    }
  };
  const failing = async function* (): AsyncGenerator<string, never, undefined> {
    yield 'one';
    await delay(10);
    throw new Error('it broke');
  };
  await expect(drain(sideBySide<string, undefined>([endless, failing, endless], 3))).rejects.toThrow('it broke');
  await expect.poll(() => closed).toBe(2);
});
