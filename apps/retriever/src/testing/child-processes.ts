/** Processes as /proc shows them, for tests. */
import { readdirSync, readFileSync } from 'node:fs';

/** Those that this process has started, by the name of their module. */
export function childrenRunning(module: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[1];
        return parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(module);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The most that a process has had in memory. */
export function peakMegabytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1000;
}
