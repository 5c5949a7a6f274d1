import { describe, expect, it } from 'vitest';
import { startProgram } from './program.ts';

const node = (script: string, options = {}) => startProgram(process.execPath, ['-e', script], options);

describe('startProgram', () => {
  it('says what a program wrote, and how it ended', async () => {
    const program = node('process.stdin.pipe(process.stdout); console.error(process.env.WHO); process.exitCode = 3', {
      input: 'told',
      env: { WHO: 'me' },
    });
    expect(await program.exited).toEqual({ code: 3, signal: null, stdout: 'told', stderr: 'me\n' });
  });

  it('waits for what a program says', async () => {
    const program = node('setTimeout(() => console.log("at port 77"), 50); setTimeout(() => {}, 60000)');
    expect((await program.says(/port (\d+)/))[1]).toBe('77');
    await expect(program.says(/never/, 50)).rejects.toThrow('did not say /never/ within 50 ms\nat port 77');
    expect(await program.end('SIGTERM')).toMatchObject({ code: null, signal: 'SIGTERM' });
    await expect(program.says(/never/)).rejects.toThrow('ended without /never/');
  });

  it('kills what does not end', async () => {
    const program = node('process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)');
    await program.says(/up/);
    await expect(program.end('SIGTERM', 100)).rejects.toThrow('did not end on SIGTERM within 100 ms');
    expect(await program.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  it('leaves nothing behind when the process that started it dies', async () => {
    const inner = `setInterval(() => {}, 1000)`;
    const outer = startProgram(process.execPath, [
      '--input-type=module',
      '-e',
      `import { spawn } from 'node:child_process';
       import { killWithParent } from ${JSON.stringify(new URL('./kill-with-parent.ts', import.meta.url).href)};
       const child = spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'ignore' });
       killWithParent(child);
       console.log('child ' + child.pid);`,
    ]);
    const pid = Number((await outer.says(/child (\d+)/))[1]);
    await outer.end('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
