/** How much a key may ask for, counted in this process: buckets that fill again evenly within a minute. */
import { CrucibleError } from '@crucible/foundation';
import type { ApiKey, KeyLimits } from '@crucible/service';

const minute = 60_000;

/** A request that came too early; `retryAfterMs` says when it may come again. */
export class RateLimitError extends CrucibleError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('resource-exhausted', message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What is left of a limit. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until it is full again. */
  readonly resetMs: number;
}

class Bucket {
  readonly capacity: number;
  #level: number;
  #at: number;

  constructor(perMinute: number, now: number) {
    this.capacity = perMinute;
    this.#level = perMinute;
    this.#at = now;
  }

  /** May be below 0: what was spent is known only when an answer is done. */
  level(now: number): number {
    this.#level = Math.min(this.capacity, this.#level + ((now - this.#at) / minute) * this.capacity);
    this.#at = now;
    return this.#level;
  }

  /** What rounding took off does not count. */
  hasOne(now: number): boolean {
    return this.level(now) >= 1 - 1e-9;
  }

  spend(amount: number, now: number): void {
    this.level(now);
    this.#level -= amount;
  }

  msUntil(wanted: number, now: number): number {
    const ms = ((wanted - this.level(now)) / this.capacity) * minute;
    // Not a millisecond more for what rounding did.
    return Math.max(0, Math.ceil(ms - 1e-6));
  }

  allowance(now: number): Allowance {
    return {
      limit: this.capacity,
      remaining: Math.max(0, Math.floor(this.level(now))),
      resetMs: this.msUntil(this.capacity, now),
    };
  }
}

interface Spent {
  readonly limits: string;
  readonly requests: Bucket | undefined;
  readonly tokens: Bucket | undefined;
  readonly mostRuns: number | undefined;
}

/** Limits of all keys. `now` is in milliseconds, from any point that does not move. */
export class RateLimits {
  readonly #now: () => number;
  readonly #spent = new Map<string, Spent>();
  readonly #runs = new Map<string, number>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a request, or refuses it. A request that starts a run also needs a free place, and tokens that are left. */
  admit(key: ApiKey, startsRun: boolean): void {
    const spent = this.#of(key);
    const now = this.#now();
    if (spent.requests && !spent.requests.hasOne(now)) {
      const { capacity } = spent.requests;
      throw new RateLimitError(
        `key ${key.name} has made its ${capacity} requests of this minute`,
        spent.requests.msUntil(1, now),
      );
    }
    if (startsRun && spent.tokens && !spent.tokens.hasOne(now)) {
      const { capacity } = spent.tokens;
      throw new RateLimitError(
        `key ${key.name} has spent its ${capacity} tokens of this minute`,
        spent.tokens.msUntil(1, now),
      );
    }
    if (startsRun && spent.mostRuns !== undefined && this.#runsOf(key) >= spent.mostRuns)
      throw new RateLimitError(`key ${key.name} has ${spent.mostRuns} runs at work, which is all it may have`, 1000);
    spent.requests?.spend(1, now);
  }

  /** Takes a place for a run; call what comes back when it has ended. */
  beginRun(key: ApiKey): () => void {
    this.#runs.set(key.id, this.#runsOf(key) + 1);
    let hasEnded = false;
    return () => {
      if (!hasEnded) this.#runs.set(key.id, this.#runsOf(key) - 1);
      hasEnded = true;
    };
  }

  spendTokens(key: ApiKey, tokens: number): void {
    this.#of(key).tokens?.spend(tokens, this.#now());
  }

  allowances(key: ApiKey): { readonly requests: Allowance | undefined; readonly tokens: Allowance | undefined } {
    const { requests, tokens } = this.#of(key);
    const now = this.#now();
    return { requests: requests?.allowance(now), tokens: tokens?.allowance(now) };
  }

  #of(key: ApiKey): Spent {
    const { requestsPerMinute, tokensPerMinute, concurrentRuns }: KeyLimits = key;
    const limits = JSON.stringify([requestsPerMinute, tokensPerMinute, concurrentRuns]);
    const known = this.#spent.get(key.id);
    if (known?.limits === limits) return known;
    const now = this.#now();
    const spent: Spent = {
      limits,
      requests: requestsPerMinute === undefined ? undefined : new Bucket(requestsPerMinute, now),
      tokens: tokensPerMinute === undefined ? undefined : new Bucket(tokensPerMinute, now),
      mostRuns: concurrentRuns,
    };
    this.#spent.set(key.id, spent);
    return spent;
  }

  #runsOf({ id }: ApiKey): number {
    return this.#runs.get(id) ?? 0;
  }
}
