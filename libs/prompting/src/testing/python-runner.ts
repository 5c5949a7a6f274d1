/** Runs programs with the Python of this machine, without any isolation: for programs that tests have written. */
import { spawn, spawnSync } from 'node:child_process';
import type { CodeResult, CodeRunner } from '../code-runner.ts';

/** The command of a Python 3 that works; undefined: there is none. */
export function findPython(): string | undefined {
  return ['python3', 'python'].find(
    (command) => spawnSync(command, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']).status === 0,
  );
}

export function createPythonRunner(command: string): CodeRunner {
  return {
    run: (program, { timeoutMs, signal }) =>
      new Promise<CodeResult>((resolve, reject) => {
        const child = spawn(command, ['-I', '-c', program], { signal, timeout: timeoutMs, killSignal: 'SIGKILL' });
        const output = { stdout: '', stderr: '' };
        for (const name of ['stdout', 'stderr'] as const)
          child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
        child.on('error', reject);
        child.on('close', (code, killedBy) =>
          resolve({ ...output, ended: killedBy !== null ? 'timeout' : code === 0 ? 'finished' : 'failed' }),
        );
      }),
  };
}
