import { describe, expect, test } from 'vitest';
import type { ApiKey, KeyLimits } from '@crucible/service';
import { RateLimits } from './rate-limits.ts';

function keyWith(limits: Partial<KeyLimits>, id = 'one'): ApiKey {
  return {
    name: 'laptop',
    id,
    sha256: '',
    scopes: [],
    createdAt: new Date(),
    expiresAt: undefined,
    requestsPerMinute: undefined,
    tokensPerMinute: undefined,
    concurrentRuns: undefined,
    ...limits,
  };
}

function clock(): { readonly now: () => number; at: number } {
  const time = { at: 1000, now: () => time.at };
  return time;
}

describe('requests a minute', () => {
  test('are given out at once or one by one as they come back', () => {
    const time = clock();
    const limits = new RateLimits(time.now);
    const key = keyWith({ requestsPerMinute: 3 });
    for (let i = 0; i < 3; i++) limits.admit(key, false);
    const refused = expect.objectContaining({
      code: 'resource-exhausted',
      retryAfterMs: 20_000,
      message: 'key laptop has made its 3 requests of this minute',
    }) as Error;
    expect(() => limits.admit(key, false)).toThrow(refused);
    // A refusal costs nothing.
    expect(() => limits.admit(key, false)).toThrow(refused);
    time.at += 19_999;
    expect(() => limits.admit(key, false)).toThrow(expect.objectContaining({ retryAfterMs: 1 }) as Error);
    time.at += 1;
    limits.admit(key, false);
    expect(() => limits.admit(key, false)).toThrow(refused);
    time.at += 600_000;
    expect(limits.allowances(key).requests).toEqual({ limit: 3, remaining: 3, resetMs: 0 });
  });

  test('of one key are not those of another', () => {
    const limits = new RateLimits(clock().now);
    limits.admit(keyWith({ requestsPerMinute: 1 }, 'a'), false);
    limits.admit(keyWith({ requestsPerMinute: 1 }, 'b'), false);
    expect(() => limits.admit(keyWith({ requestsPerMinute: 1 }, 'a'), false)).toThrow('its 1 requests');
  });
});

describe('tokens a minute', () => {
  test('may be overdrawn by an answer under way, which the next one waits for', () => {
    const time = clock();
    const limits = new RateLimits(time.now);
    const key = keyWith({ tokensPerMinute: 600 });
    limits.admit(key, true);
    limits.spendTokens(key, 900);
    expect(limits.allowances(key).tokens).toEqual({ limit: 600, remaining: 0, resetMs: 90_000 });
    expect(() => limits.admit(key, true)).toThrow(
      expect.objectContaining({
        retryAfterMs: 30_100,
        message: 'key laptop has spent its 600 tokens of this minute',
      }) as Error,
    );
    // What takes no tokens goes on.
    limits.admit(key, false);
    time.at += 30_100;
    limits.admit(key, true);
  });
});

describe('runs at a time', () => {
  test('have a place until they have ended', () => {
    const limits = new RateLimits(clock().now);
    const key = keyWith({ concurrentRuns: 2 });
    const [first] = [0, 1].map(() => {
      limits.admit(key, true);
      return limits.beginRun(key);
    });
    const full = 'key laptop has 2 runs at work, which is all it may have';
    expect(() => limits.admit(key, true)).toThrow(full);
    limits.admit(key, false);
    first!();
    first!();
    limits.admit(key, true);
    limits.beginRun(key);
    expect(() => limits.admit(key, true)).toThrow(full);
  });

  test('are not forgotten when the limits of the key change', () => {
    const limits = new RateLimits(clock().now);
    const end = limits.beginRun(keyWith({ concurrentRuns: 5 }));
    expect(() => limits.admit(keyWith({ concurrentRuns: 1 }), true)).toThrow('has 1 runs at work');
    end();
    limits.admit(keyWith({ concurrentRuns: 1 }), true);
  });
});

test('a key without limits has none', () => {
  const limits = new RateLimits(clock().now);
  const key = keyWith({});
  for (let i = 0; i < 1000; i++) {
    limits.admit(key, true);
    limits.beginRun(key);
    limits.spendTokens(key, 1e9);
  }
  expect(limits.allowances(key)).toEqual({ requests: undefined, tokens: undefined });
});
