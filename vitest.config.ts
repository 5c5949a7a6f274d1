import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** `npm test` runs every tier but the slow one; `npm run test:slow` runs that alone. */
const slow = process.env['CRUCIBLE_TEST_TIER'] === 'slow';

export default defineConfig({
  test: {
    include: slow ? ['**/*.slow.test.ts'] : ['**/*.test.ts'],
    exclude: slow ? ['**/node_modules/**'] : ['**/node_modules/**', '**/*.slow.test.ts'],
    passWithNoTests: true,
    pool: 'forks',
    // Most tests wait for processes that they start; by default there would be one worker on two cores.
    maxWorkers: 2,
    // Services that tests start keep their compiled programs here, not among the user's.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'crucible-test-caches') },
    testTimeout: 30_000,
  },
});
