import { findProgram, isExecutable } from '@crucible/foundation';

/** What to tell where `findNatsServer` finds nothing. */
export const natsServerMissing =
  'nats-server is neither on PATH nor in /usr/sbin (Debian: apt-get install nats-server; elsewhere: https://nats.io)';

/**
 * The program nats-server: the one that CRUCIBLE_NATS_SERVER names (to test against another version), else the first
 * on PATH, else where Debian puts it.
 */
export function findNatsServer(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment['CRUCIBLE_NATS_SERVER'];
  if (named !== undefined) return isExecutable(named) ? named : undefined;
  return findProgram(['nats-server'], environment['PATH'], ['/usr/sbin', '/usr/local/sbin']);
}
