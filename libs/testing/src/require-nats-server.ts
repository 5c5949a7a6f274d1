import { describe } from 'vitest';
import { findNatsServer, natsServerMissing } from './find-nats-server.ts';

/** A suite that needs nats-server: where the program is missing, it is skipped under a name that says so. */
export function requireNatsServer(name: string, suite: () => void): void {
  if (findNatsServer() === undefined) describe.skip(`${name} (skipped: ${natsServerMissing})`, suite);
  else describe(name, suite);
}
