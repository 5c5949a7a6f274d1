import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { CrucibleError } from '@crucible/foundation';
import type { Boundary, BoundaryName } from '../boundary.ts';
import { openBoundary } from '../open-sandbox.ts';

const cache = fileURLToPath(new URL('../../../../node_modules/.cache/crucible-sandbox', import.meta.url));

/** As `openBoundary`, with what is slow to make kept from test to test. */
export function openTestBoundary(name?: BoundaryName): Promise<Boundary> {
  return openBoundary(name, cache);
}

/** A suite that needs a boundary: where it cannot be had, it is skipped under a name that says why. */
export async function requireBoundary(boundary: BoundaryName, name: string, suite: () => void): Promise<void> {
  try {
    await (await openTestBoundary(boundary)).close();
  } catch (reason) {
    describe.skip(`${name} (skipped: ${CrucibleError.from(reason).message})`, suite);
    return;
  }
  describe(name, suite);
}
