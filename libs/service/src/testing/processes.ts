import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '@crucible/foundation';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function untilGone(pid: number): Promise<void> {
  const gone = async (): Promise<void> => {
    while (isAlive(pid)) await delay(10);
  };
  await withDeadline(gone(), 10_000, `the end of process ${pid}`);
}
