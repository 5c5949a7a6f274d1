/** Programs that mean harm, against bubblewrap whole; hostile.slow.test.ts has the rest. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { attack } from './testing/attack-sandbox.ts';
import { hostilePrograms } from './testing/hostile-programs.ts';
import { openTestBoundary, requireBoundary } from './testing/require-boundary.ts';

/** Those that go for what is special about Pyodide. */
const special = [15, 24, 38, 42, 47, 53, 61, 62, 84, 85, 87];

await requireBoundary('bubblewrap', 'bubblewrap', () => {
  it('holds every hostile program', { timeout: 600_000 }, async () => {
    const findings = await attack(await openTestBoundary('bubblewrap'));
    expect(findings.filter(({ breaches }) => breaches.length > 0)).toEqual([]);
    expect(findings.length).toBeGreaterThan(80);
  });
});

await requireBoundary('pyodide', 'Pyodide in Deno', () => {
  it('holds the programs that go for JavaScript', { timeout: 600_000 }, async () => {
    const findings = await attack(await openTestBoundary('pyodide'), ({ number }) => special.includes(number));
    expect(findings.filter(({ breaches }) => breaches.length > 0)).toEqual([]);
    expect(findings).toHaveLength(special.length + 1);
  });
});

it('has programs for every number of the list, which get through where nothing holds them', () => {
  const numbers = new Set(hostilePrograms('bubblewrap', []).map(({ number }) => number));
  // 72, two hundred at once, is a test of its own.
  expect(Array.from({ length: 71 }, (_, i) => i + 1).filter((number) => !numbers.has(number))).toEqual([]);
  const folder = mkdtempSync(join(tmpdir(), 'crucible-free-'));
  try {
    writeFileSync(join(folder, 'canary'), 'secret');
    const free = (number: number): string => {
      const [hostile] = hostilePrograms('bubblewrap', []).filter((program) => program.number === number);
      const args = ['-c', hostile!.program.code, join(folder, 'canary'), 'CRUCIBLE_TEST_FREE', '1'];
      return execFileSync('python3', args, {
        cwd: folder,
        env: { ...process.env, CRUCIBLE_TEST_FREE: 'x' },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    };
    expect(free(42)).toContain("THROUGH: the canary: 'secret'");
    expect(free(63)).toContain('THROUGH: the environment');
    expect(free(55)).toContain('THROUGH: (16, 3)');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
