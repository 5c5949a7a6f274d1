import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, requireNatsServer, startNatsServer } from '@crucible/testing';
import { createBus } from './create-bus.ts';

it('opens an embedded bus in memory or in a folder', async () => {
  await using memory = await createBus('embedded:');
  expect((await memory.health()).detail).toBe('embedded bus in memory: 0 events so far, 0.0 MiB of them kept');

  const parent = mkdtempSync(join(tmpdir(), 'crucible-bus-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const folder = join(parent, 'new/bus');
  await using bus = await createBus(`embedded:${folder}`);
  expect((await bus.health()).detail).toBe(`embedded bus in ${folder}: 0 events so far, 0.0 MiB of them kept`);
  expect(existsSync(join(folder, 'events-0000000001.log'))).toBe(true);
});

requireNatsServer('createBus with NATS', () => {
  it('opens a bus over NATS, one of several servers being enough', async () => {
    await using server = await startNatsServer();
    await using bus = await createBus(`nats://127.0.0.1:${await freePort()},${server.url}`);
    expect(await bus.health()).toMatchObject({
      ready: true,
      detail: expect.stringContaining('0 events so far') as string,
    });
  });
});

it('refuses any other URL', async () => {
  for (const url of ['', 'redis://a', 'localhost:4222', 'embedded://folder', 'nats:a'])
    await expect(createBus(url)).rejects.toMatchObject({
      code: 'invalid-input',
      message:
        `bus URL ${JSON.stringify(url)}: must be nats://HOST[:PORT], tls://HOST[:PORT], embedded:FOLDER, or ` +
        'embedded: for a bus in memory',
    });
});
