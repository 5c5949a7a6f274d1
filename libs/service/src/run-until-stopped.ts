import { CrucibleError } from '@crucible/foundation';
import type { Logger, Service } from './service.ts';

/**
 * Runs services until SIGTERM or SIGINT, then closes them, the last started first. A second signal ends the process at
 * once. Resolves when all are closed.
 */
export async function runUntilStopped(services: readonly Service[], log: Logger, graceMs = 10_000): Promise<void> {
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve(name));
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  log.info({ signal }, 'stopping');
  await closeAll(services, log, graceMs);
}

/** Closes services in reverse order; one that fails to close does not keep the others open. */
export async function closeAll(services: readonly Service[], log: Logger, graceMs = 10_000): Promise<void> {
  for (const service of [...services].reverse()) {
    try {
      await service.close(graceMs);
    } catch (reason) {
      log.error({ error: CrucibleError.from(reason).message }, `${service.name} did not close cleanly`);
    }
  }
}
