/** What a server allows its callers, and what a client and a server allow each other. docs/grpc.md has the same figures. */
import { assertWholeNumber, maxTimerMs } from './whole-number.ts';

export interface MessageLimits {
  /**
   * Bytes of one message. Default 4 MiB for both: what clients of every language receive unless told otherwise, so
   * nothing that a server sends is too large for them.
   */
  readonly maxReceiveBytes?: number;
  readonly maxSendBytes?: number;
}

export interface ServerLimits extends MessageLimits {
  /** Deadline of calls that come without one. Default 5 minutes. */
  readonly defaultDeadlineMs?: number;

  /** No call lasts longer, whatever deadline it comes with. Default 24 hours. */
  readonly maxDeadlineMs?: number;

  /** Calls at a time on one connection; a client queues those above. Default 1000. */
  readonly maxConcurrentStreams?: number;

  /**
   * A connection is closed at this age, within 10 %, once its calls are done, so that clients look up addresses anew and
   * find new servers. Default 30 minutes.
   */
  readonly maxConnectionAgeMs?: number;

  /** A connection without calls is closed after this time. Default 5 minutes. */
  readonly maxConnectionIdleMs?: number;

  /** A caller who is silent for this time is asked for a sign of life, … Default 1 minute. */
  readonly keepaliveMs?: number;

  /** … and is taken for gone, its calls cancelled, when none comes within this time. Default 20 seconds. */
  readonly keepaliveTimeoutMs?: number;
}

const defaultMessageLimits: Required<MessageLimits> = {
  maxReceiveBytes: 4 * 2 ** 20,
  maxSendBytes: 4 * 2 ** 20,
};

const defaultServerLimits: Required<ServerLimits> = {
  ...defaultMessageLimits,
  defaultDeadlineMs: 5 * 60_000,
  maxDeadlineMs: 24 * 60 * 60_000,
  maxConcurrentStreams: 1000,
  maxConnectionAgeMs: 30 * 60_000,
  maxConnectionIdleMs: 5 * 60_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};

/** The largest that fits into the length field of a gRPC message, with room for its frame in one buffer. */
const maxMessageBytes = 2 ** 31 - 1;

export function resolveMessageLimits(limits: MessageLimits = {}): Required<MessageLimits> {
  return resolve(limits, defaultMessageLimits);
}

export function resolveServerLimits(limits: ServerLimits = {}): Required<ServerLimits> {
  return resolve(limits, defaultServerLimits);
}

function resolve<L extends Record<keyof L, number>>(given: Partial<L>, defaults: L): L {
  const resolved = { ...defaults, ...given };
  for (const [name, value] of Object.entries<number>(resolved))
    assertWholeNumber(`limits.${name}`, value, 1, name.endsWith('Ms') ? maxTimerMs : maxMessageBytes);
  return resolved;
}
