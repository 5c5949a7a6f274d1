/** `crucible keys`, as a process. */
import { join } from 'node:path';
import { ApiKeys } from '@crucible/service';
import { temporaryFolder } from '@crucible/testing';
import { expect, it } from 'vitest';
import { crucible } from './testing/crucible.ts';

it('makes a key that is printed once, lists what it may do, and takes it away', { timeout: 120_000 }, async () => {
  const home = temporaryFolder();
  const keys = (...args: readonly string[]) => crucible(['--home', home, 'keys', ...args]);
  expect(await keys()).toMatchObject({
    code: 0,
    stdout: 'There are no keys: the API serves this machine alone.\n',
  });
  const added = await keys(
    'add',
    'laptop',
    '--scopes',
    'chat, jobs',
    '--requests',
    '60',
    '--runs',
    '2',
    '--days',
    '30',
  );
  expect(added.code).toBe(0);
  const key = added.stdout.trim();
  expect(new ApiKeys(join(home, 'keys')).find(key)).toMatchObject({ name: 'laptop', concurrentRuns: 2 });
  const listed = await keys('list', '--json');
  expect(listed.stdout).not.toContain(key);
  const [entry] = (JSON.parse(listed.stdout) as { keys: { created: string; expires: string }[] }).keys;
  expect(entry).toMatchObject({
    name: 'laptop',
    scopes: ['chat', 'jobs'],
    requests_per_minute: 60,
    tokens_per_minute: null,
    concurrent_runs: 2,
  });
  expect(Date.parse(entry!.expires) - Date.parse(entry!.created)).toBeCloseTo(30 * 86_400_000, -4);
  expect((await keys()).stdout).toMatch(/^NAME +SCOPES +CREATED +EXPIRES .*\nlaptop +chat jobs /);
  expect(await keys('add', 'laptop')).toMatchObject({
    code: 1,
    stderr: 'crucible: key laptop exists; revoke it first, or take another name\n',
  });
  expect(await keys('add', 'other', '--scopes', 'root')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"root" is none of chat, tools, ') as string,
  });
  expect(await keys('revoke', 'laptop')).toMatchObject({ code: 0, stdout: 'laptop is revoked.\n' });
  expect(await keys('revoke', 'laptop')).toMatchObject({
    code: 2,
    stderr: 'crucible: key laptop does not exist; there are none\n',
  });
});
