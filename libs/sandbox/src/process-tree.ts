/** What a process and its descendants use, read from /proc: for where control groups cannot be had. */
import { readdirSync, readFileSync } from 'node:fs';

export interface TreeUsage {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly processes: number;
}

const pageBytes = 4096;
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const tickMs = 10;

/** Zero for what is gone or, on other systems, cannot be seen. Pages that processes share count for each. */
export function treeUsage(root: number): TreeUsage {
  let [cpuMs, memoryBytes, processes] = [0, 0, 0];
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = state.slice(state.lastIndexOf(')') + 2).split(' ');
      // utime, stime, and those of children that have ended and been waited for; rss
      cpuMs += (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) * tickMs;
      memoryBytes += Number(fields[21]) * pageBytes;
      processes++;
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim();
        if (children !== '') waiting.push(...children.split(' ').map(Number));
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return { cpuMs, memoryBytes, processes };
}
