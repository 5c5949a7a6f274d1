import { describe, expect, it } from 'vitest';
import { resolveMessageLimits, resolveServerLimits } from './limits.ts';

describe('resolveServerLimits()', () => {
  // docs/grpc.md names these to callers.
  it('has these defaults', () => {
    expect(resolveServerLimits()).toEqual({
      maxReceiveBytes: 4_194_304,
      maxSendBytes: 4_194_304,
      defaultDeadlineMs: 300_000,
      maxDeadlineMs: 86_400_000,
      maxConcurrentStreams: 1000,
      maxConnectionAgeMs: 1_800_000,
      maxConnectionIdleMs: 300_000,
      keepaliveMs: 60_000,
      keepaliveTimeoutMs: 20_000,
    });
  });

  it('takes what is given', () => {
    expect(resolveServerLimits({ maxSendBytes: 7 })).toMatchObject({ maxSendBytes: 7, maxReceiveBytes: 4_194_304 });
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 31])('refuses %d for any of them', (value) => {
    expect(() => resolveServerLimits({ keepaliveMs: value })).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'limits.keepaliveMs',
        message: `limits.keepaliveMs: ${value} is not a whole number from 1 to 2147483647`,
      }),
    );
  });
});

describe('resolveMessageLimits()', () => {
  it('allows 4 MiB both ways', () => {
    expect(resolveMessageLimits()).toEqual({ maxReceiveBytes: 4_194_304, maxSendBytes: 4_194_304 });
  });
});
