/** Where a running `crucible up` is found by the other commands: HOME/run.json. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@crucible/foundation';

export interface Running {
  readonly pid: number;
  readonly gateway: string;
  readonly policy: string;
  readonly reward: string;
  readonly trainer: string;
  readonly retriever: string;
  readonly sandbox: string;
  readonly actor: string;
}

export function writeRunFile(home: string, running: Running): void {
  writeFileAtomic(join(home, 'run.json'), `${JSON.stringify(running, null, 2)}\n`);
}

export function removeRunFile(home: string): void {
  rmSync(join(home, 'run.json'), { force: true });
}

/** The running instance; undefined when there is none, or only the file of one that is gone. */
export function findRunning(home: string): Running | undefined {
  const path = join(home, 'run.json');
  if (!existsSync(path)) return undefined;
  const running = JSON.parse(readFileSync(path, 'utf8')) as Running;
  return isAlive(running.pid) ? running : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (reason) {
    return (reason as NodeJS.ErrnoException).code === 'EPERM';
  }
}
