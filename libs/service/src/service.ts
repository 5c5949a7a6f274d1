import type { Logger } from 'pino';

/** A running service. */
export interface Service {
  readonly name: string;
  /** Where it listens, `host:port`. */
  readonly target: string;
  /** Stops taking work, lets what runs finish within `graceMs`, and closes. */
  readonly close: (graceMs?: number) => Promise<void>;
}

export type { Logger };
