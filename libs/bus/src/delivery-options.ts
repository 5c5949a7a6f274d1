import { invalidInput } from '@crucible/foundation';
import type { DeliveryOptions } from './bus.ts';

export interface ResolvedDeliveryOptions {
  readonly ackWait: number;
  readonly maxDeliver: number;
  readonly backoff: readonly number[];
  readonly signal: AbortSignal | undefined;
}

/** The longest time that timers and NATS take without rounding: 24 days. */
const maxMilliseconds = 2 ** 31 - 1;

export function resolveDeliveryOptions(options: DeliveryOptions): ResolvedDeliveryOptions {
  const { ackWait = 30_000, maxDeliver = 5, backoff = [1000, 5000, 30_000], signal } = options;
  assertBetween('ackWait', ackWait, 100, maxMilliseconds);
  assertInteger('maxDeliver', maxDeliver, 1, 1_000_000);
  if (backoff.length === 0) throw invalidInput('backoff is empty; it needs at least one pause', { at: 'backoff' });
  for (const pause of backoff) assertBetween('backoff', pause, 0, maxMilliseconds);
  return { ackWait, maxDeliver, backoff, signal };
}

export function assertInteger(at: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value)) throw invalidInput(`${at} is ${value}; it must be a whole number`, { at });
  assertBetween(at, value, low, high);
}

export function assertBetween(at: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high))
    throw invalidInput(`${at} is ${value}; it must be between ${low} and ${high}`, { at });
}
