import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startNatsServer } from './nats-server.ts';
import { requireNatsServer } from './require-nats-server.ts';

/** What the server says first: its INFO. */
async function greeting(port: number): Promise<Record<string, unknown>> {
  const socket = connect(port, '127.0.0.1');
  const text = await new Promise<string>((resolve, reject) => {
    socket.once('data', (bytes) => resolve(bytes.toString()));
    socket.once('error', reject);
  });
  socket.destroy();
  return JSON.parse(text.slice('INFO '.length)) as Record<string, unknown>;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

requireNatsServer('startNatsServer', () => {
  it('starts a server with JetStream on 127.0.0.1 that is gone after stop()', async () => {
    const server = await startNatsServer();
    expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
    expect(await greeting(server.port)).toMatchObject({ jetstream: true, host: '127.0.0.1', port: server.port });
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
    await expect(greeting(server.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is stopped by `await using`, also when the block throws', async () => {
    let pid = 0;
    await expect(
      (async () => {
        await using server = await startNatsServer({ jetstream: false });
        pid = server.pid;
        expect(await greeting(server.port)).not.toHaveProperty('jetstream');
        throw new Error('the test failed');
      })(),
    ).rejects.toThrow('the test failed');
    expect(isRunning(pid)).toBe(false);
  });

  it('comes back on the same port and files after a kill', async () => {
    const storeDir = mkdtempSync(join(tmpdir(), 'crucible-store-'));
    onTestFinished(() => rmSync(storeDir, { recursive: true }));
    await using server = await startNatsServer({ storeDir });
    const { pid, port } = server;
    await server.kill();
    expect(isRunning(pid)).toBe(false);
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(await greeting(port)).toMatchObject({ jetstream: true, port });
    expect(existsSync(join(storeDir, 'jetstream'))).toBe(true);
  });

  it('says what the server said when it does not start', async () => {
    await expect(startNatsServer({ config: 'no_such_option: 1' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('unknown field "no_such_option"') as string,
    });
  });

  it('does not outlive a test process that is killed', async () => {
    const launcher = JSON.stringify(new URL('nats-server.ts', import.meta.url).href);
    const program = `
      const { startNatsServer } = await import(${launcher});
      process.stdout.write(String((await startNatsServer()).port));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.once('data', (bytes) => resolve(Number(bytes)));
      child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
    });
    expect(await greeting(port)).toMatchObject({ port });
    child.kill('SIGKILL');
    await expect
      .poll(() => greeting(port).catch((reason: unknown) => reason), { timeout: 5000 })
      .toMatchObject({
        code: 'ECONNREFUSED',
      });
  });
});
