import { type ChildProcess, spawn } from 'node:child_process';

/** Kills a child when this process dies without having stopped it: the shell then reads the end of its input. */
export function killWithParent(child: ChildProcess): void {
  if (child.pid === undefined || process.platform === 'win32') return;
  const watchdog = spawn('sh', ['-c', `read _; kill -9 ${child.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.once('exit', () => watchdog.kill('SIGKILL'));
}
