import { describe, expect, it } from 'vitest';
import { collected, streamOf } from './test-server.ts';
import { untilAborted } from './until-aborted.ts';

describe('untilAborted()', () => {
  it('gives all items when nothing happens', async () => {
    const signal = new AbortController().signal;
    expect(await collected(untilAborted(streamOf(1, 2, 3), signal))).toEqual([1, 2, 3]);
  });

  it('ends while the next item is long in coming', async () => {
    const controller = new AbortController();
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      setImmediate(() => controller.abort());
      await new Promise(() => undefined);
    }
    expect(await collected(untilAborted(stuck(), controller.signal))).toEqual([1]);
  });

  it('lets the source clean up, when it is left and when the signal is aborted', async () => {
    const closed: string[] = [];
    async function* source(name: string): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield await Promise.resolve(i);
      } finally {
        closed.push(name);
      }
    }
    const controller = new AbortController();
    for await (const item of untilAborted(source('left'), controller.signal)) if (item === 2) break;
    for await (const item of untilAborted(source('aborted'), controller.signal)) if (item === 2) controller.abort();
    expect(closed).toEqual(['left', 'aborted']);
  });

  it('throws what the source throws, and drops it after the end', async () => {
    const controller = new AbortController();
    const fails = (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('source')),
        return: () => Promise.reject(new Error('cleaning up')),
      }),
    });
    await expect(collected(untilAborted(fails(), controller.signal))).rejects.toThrow('source');
    controller.abort();
    expect(await collected(untilAborted(fails(), controller.signal))).toEqual([]);
  });
});
