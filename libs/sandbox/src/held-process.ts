/**
 * A process that is put under its limits before it does anything: a shell that waits for a line, then becomes the
 * command. In between it joins a control group, where there are any.
 */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Exit, Sample } from './boundary.ts';
import type { ControlGroup, ControlGroups } from './control-groups.ts';
import { treeUsage } from './process-tree.ts';

export interface HeldOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  /** The descriptor of the process, a pipe of `stdio`, that the line comes by. */
  readonly gate: number;
  /** Undefined: as this process. */
  readonly user: number | undefined;
  readonly groups: ControlGroups | undefined;
}

export interface HeldLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

export class HeldProcess {
  readonly child: ChildProcess;
  readonly #group: ControlGroup | undefined;
  #mostBytes = Infinity;
  #peakBytes = 0;
  #cpuMs = 0;
  /** Used before the program, by the start of the interpreter. */
  #ownCpuMs = 0;
  #outOfMemoryKills = 0;
  /** Resolves when it, all that it started, and its streams have ended. */
  readonly exited: Promise<Exit>;

  constructor({ command, args, env, stdio, gate, user, groups }: HeldOptions) {
    this.#group = groups?.create();
    this.child = spawn('/bin/sh', ['-c', `read -r _ <&${gate} && exec "$@"`, 'sh', command, ...args], {
      env,
      stdio,
      cwd: '/',
      ...(user !== undefined && { uid: user, gid: user }),
    });
    this.exited = new Promise((resolve) => {
      this.child.once('error', () => resolve({ code: 127, signal: null }));
      this.child.once('close', (code, signal) => {
        this.#remember();
        // Whatever has escaped from its parent is still in the group.
        this.#killGroup();
        void this.#group?.remove();
        resolve({ code, signal });
      });
    });
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      this.#group?.add(pid);
      (this.child.stdio[gate] as Socket).on('error', () => undefined).write('\n');
    } catch {
      this.kill();
    }
  }

  /** Before it is given anything that is not trusted. */
  limit(limits: HeldLimits): void {
    this.#remember();
    this.#ownCpuMs = this.#cpuMs;
    if (this.#group) this.#group.limit(limits);
    else this.#mostBytes = limits.memoryBytes;
  }

  sample(): Sample {
    const memoryBytes = this.#remember();
    return { cpuMs: this.#cpuMs - this.#ownCpuMs, memoryBytes, isTooLarge: memoryBytes > this.#mostBytes };
  }

  kill(): void {
    this.child.kill('SIGKILL');
    this.#killGroup();
  }

  #killGroup(): void {
    try {
      this.#group?.kill();
    } catch {
      // The group went with its last process.
    }
  }

  /** So far, and for good when it has ended. */
  get usage(): { readonly cpuMs: number; readonly peakMemoryBytes: number } {
    return { cpuMs: Math.round(this.#cpuMs - this.#ownCpuMs), peakMemoryBytes: this.#peakBytes };
  }

  get metMemoryLimit(): boolean {
    return this.#outOfMemoryKills > 0;
  }

  #remember(): number {
    try {
      const group = this.#group?.usage();
      if (group && this.#group) this.#outOfMemoryKills = this.#group.outOfMemoryKills();
      const { cpuMs, memoryBytes } = group ?? treeUsage(this.child.pid ?? 0);
      this.#cpuMs = Math.max(this.#cpuMs, cpuMs);
      this.#peakBytes = Math.max(this.#peakBytes, group?.peakMemoryBytes ?? memoryBytes);
      return memoryBytes;
    } catch {
      return 0;
    }
  }
}
