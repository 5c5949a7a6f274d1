/** A program as a process of its own, for tests: what it says, how it ends. It never outlives the test. */
import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import { killWithParent } from './kill-with-parent.ts';

export interface ProgramOptions {
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Standard input, which then ends. Default: empty. */
  readonly input?: string;
}

export interface Ending {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly pid: number;
  /** What it has said so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exited: Promise<Ending>;
  /** Sends a signal and waits for the end; after `deadline` ms (10,000 by default) it is killed, and that is an error. */
  readonly end: (signal: NodeJS.Signals, deadline?: number) => Promise<Ending>;
  /** Resolves with the match when standard output or error has it; rejects when the program ends without. */
  readonly says: (pattern: RegExp, deadline?: number) => Promise<RegExpExecArray>;
}

/** Starts a program; when the test is over it is killed, should it still run. */
export function startProgram(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const { env = {}, cwd, input = '' } = options;
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe', ...(cwd && { cwd }) });
  killWithParent(child);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  child.stdin.on('error', () => undefined).end(input);
  const exited = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...said }));
    // What it started may hold its streams open for longer than it lives.
    child.once('exit', (code, signal) => setTimeout(() => resolve({ code, signal, ...said }), 1000).unref());
  });
  exited.catch(() => undefined);
  const words = [command, ...args].join(' ');
  const late = (what: string, ms: number): CrucibleError =>
    new CrucibleError('deadline-exceeded', `${words}: ${what} within ${ms} ms\n${said.stdout}${said.stderr}`);

  const end = async (signal: NodeJS.Signals, deadline = 10_000): Promise<Ending> => {
    child.kill(signal);
    try {
      return await withDeadline(exited, deadline, `end of ${words}`);
    } catch {
      child.kill('SIGKILL');
      await exited;
      throw late(`did not end on ${signal}`, deadline);
    }
  };
  const says = (pattern: RegExp, deadline = 30_000): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(said.stdout) ?? pattern.exec(said.stderr);
        if (match) settle(() => resolve(match));
      };
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        for (const stream of [child.stdout, child.stderr]) stream.off('data', look);
        then();
      };
      const timer = setTimeout(() => settle(() => reject(late(`did not say ${pattern}`, deadline))), deadline);
      for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
      const ended = (): void =>
        settle(() =>
          reject(new CrucibleError('unavailable', `${words}: ended without ${pattern}\n${said.stdout}${said.stderr}`)),
        );
      exited.then(ended, ended);
      look();
    });

  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited.catch(() => undefined);
  });
  return { pid: child.pid ?? 0, stdout: () => said.stdout, stderr: () => said.stderr, exited, end, says };
}
