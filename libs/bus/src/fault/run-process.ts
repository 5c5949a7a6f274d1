import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of this folder in a process of its own, by what it says. */
export class RunningProgram {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** `onLine` is called for every line of its standard output. */
  constructor(program: string, args: readonly string[], onLine: (line: string) => void) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout).on('line', onLine);
    // Both: the last lines may come after the process is gone.
    this.#ended = Promise.all([
      new Promise((resolve) => child.once('exit', resolve)),
      new Promise((resolve) => lines.once('close', resolve)),
    ]);
    this.#child = child;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGKILL; resolves when all that it said was heard. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
