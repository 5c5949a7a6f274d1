import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findNatsServer } from './find-nats-server.ts';

it('takes the first executable of that name on the path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-path-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'nats-server');
  const environment = { PATH: ['/does/not/exist', '', folder].join(delimiter) };
  writeFileSync(program, '', { mode: 0o644 });
  expect(findNatsServer(environment)).not.toBe(program);
  chmodSync(program, 0o755);
  expect(findNatsServer(environment)).toBe(program);
});

it('takes what CRUCIBLE_NATS_SERVER names and nothing else', () => {
  expect(findNatsServer({ CRUCIBLE_NATS_SERVER: process.execPath })).toBe(process.execPath);
  expect(findNatsServer({ CRUCIBLE_NATS_SERVER: '/does/not/exist', PATH: process.env['PATH'] })).toBeUndefined();
});
