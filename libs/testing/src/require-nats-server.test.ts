import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { natsServerMissing } from './find-nats-server.ts';

it('skips the suite, and says why in its name, where nats-server is missing', () => {
  const vitest = fileURLToPath(new URL('../vitest.mjs', import.meta.resolve('vitest')));
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'crucible-report-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = join(folder, 'report.json');
  execFileSync(
    process.execPath,
    [vitest, 'run', '--root', root, '--reporter', 'json', '--outputFile', report, 'src/nats-server.test.ts'],
    { env: { ...process.env, CRUCIBLE_NATS_SERVER: '/does/not/exist' }, stdio: 'ignore', timeout: 20_000 },
  );
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: { assertionResults: { status: string; ancestorTitles: string[] }[] }[];
  };
  const results = testResults[0]!.assertionResults;
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['skipped']));
  expect(results[0]!.ancestorTitles).toEqual([`startNatsServer (skipped: ${natsServerMissing})`]);
});
