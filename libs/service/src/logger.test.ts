import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { LogLevel } from './logger.ts';

function logAt(level: LogLevel): { readonly lines: readonly Record<string, unknown>[]; readonly stdout: string } {
  const program = fileURLToPath(new URL('./testing/logging-process.ts', import.meta.url));
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, level], { encoding: 'utf8' });
  expect(status).toBe(7);
  const lines = stderr.split('\n').filter((line) => line !== '');
  return { stdout, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('logs are lines of JSON on standard error, with service, time and fields, and none is lost at the end', () => {
  const { lines, stdout } = logAt('info');
  expect(stdout).toBe('');
  const base = {
    service: 'example',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
  };
  expect(lines).toEqual([
    { ...base, level: 30, model: 'chat', msg: 'an info line' },
    { ...base, level: 40, msg: 'a warn line' },
    { ...base, level: 50, error: 'it\nbroke', msg: 'an error line' },
  ]);
});

test.each([
  ['debug', 4],
  ['warn', 2],
  ['error', 1],
  ['silent', 0],
] as const)('at the level %s there are %i of four lines', (level, count) => {
  expect(logAt(level).lines).toHaveLength(count);
});
