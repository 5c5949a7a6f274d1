import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const program = fileURLToPath(new URL('./testing/running-process.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  /** Resolves when the text has been printed. */
  readonly printed: (text: string) => Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

async function run(...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [program, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += String(text)));
  child.stderr.on('data', (text: Buffer) => (stderr += String(text)));
  const printed = async (text: string): Promise<void> => {
    while (!stdout.includes(text)) await once(child.stdout, 'data');
  };
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  await printed('running');
  return { child, printed, ended };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s closes the services, the last first, and waits for them',
  async (signal) => {
    const { child, ended } = await run('300');
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect(stdout.split('\n')).toEqual([
      'running',
      'closing second within 10000',
      'closed second',
      'closing first within 10000',
      'closed first',
      'stopped',
      '',
    ]);
    expect(JSON.parse(stderr)).toMatchObject({ signal, msg: 'stopping' });
    expect(code).toBe(0);
  },
);

test('the grace is handed to the services', async () => {
  const { child, ended } = await run('0', '1234');
  child.kill('SIGTERM');
  expect((await ended).stdout).toContain('closing second within 1234');
});

test('a service that fails to close is logged and does not keep the others open', async () => {
  const { child, ended } = await run('fails');
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  expect(stdout).toContain('closed first\nstopped');
  expect(JSON.parse(stderr.split('\n')[1]!)).toMatchObject({
    level: 50,
    error: 'stuck',
    msg: 'second did not close cleanly',
  });
  expect(code).toBe(0);
});

test.each(['SIGTERM', 'SIGINT'] as const)('a second signal, %s, ends the process at once', async (second) => {
  const { child, printed, ended } = await run('60000');
  child.kill('SIGTERM');
  await printed('closing second');
  child.kill(second);
  expect(await ended).toMatchObject({ code: 130 });
});
