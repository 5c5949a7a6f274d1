import { describe, expect, it } from 'vitest';
import { throwIfCancelled, withDeadline } from './deadline.ts';

describe('withDeadline', () => {
  it('gives the value that comes in time', async () => {
    await expect(withDeadline(Promise.resolve(3), 1000, 'reading')).resolves.toBe(3);
  });

  it('names the wait that took too long', async () => {
    await expect(withDeadline(new Promise(() => undefined), 5, 'policy at localhost:1')).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: 'policy at localhost:1: no answer within 5 ms',
    });
  });
});

describe('throwIfCancelled', () => {
  it('throws only once the signal is aborted', () => {
    const controller = new AbortController();
    throwIfCancelled(controller.signal, 'training');
    throwIfCancelled(undefined, 'training');
    controller.abort();
    expect(() => throwIfCancelled(controller.signal, 'training')).toThrow('training was cancelled');
  });
});
