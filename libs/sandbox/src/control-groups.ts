/**
 * Linux control groups: limits that hold for all processes of an interpreter together, kept by the kernel. Version 2,
 * where this process may divide its own group, and version 1, where its folders can be written.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The group of one interpreter. */
export interface ControlGroup {
  readonly add: (pid: number) => void;
  readonly limit: (limits: GroupLimits) => void;
  readonly usage: () => GroupUsage;
  /** How many of its processes the kernel ended for want of memory. */
  readonly outOfMemoryKills: () => number;
  readonly kill: () => void;
  /** After its processes are gone. */
  readonly remove: () => Promise<void>;
}

interface GroupLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

interface GroupUsage {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
}

export interface ControlGroups {
  readonly create: () => ControlGroup;
  /** After the last of its groups. */
  readonly close: () => Promise<void>;
}

const prefix = 'crucible-sandbox-';
const controllersOfV1 = ['memory', 'pids', 'cpuacct'] as const;

/** A reason, where there are none that can be used. */
export function openControlGroups(): ControlGroups | string {
  if (process.platform !== 'linux') return 'there are no control groups on this system';
  try {
    const mounts = readMounts();
    const own = readOwnGroups();
    const v2 = mounts.find(({ type, path }) => type === 'cgroup2' && hasControllers(path));
    if (v2) return openV2(join(v2.path, relative(v2.root, own.get('') ?? '/')));
    const folders = controllersOfV1.map((name) => {
      const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(name));
      return mount && join(mount.path, relative(mount.root, own.get(name) ?? '/'));
    });
    const [memory, pids, cpuacct] = folders;
    if (memory === undefined || pids === undefined || cpuacct === undefined)
      return 'the controllers memory and pids are not there';
    return openV1({ memory, pids, cpuacct });
  } catch (reason) {
    return `control groups cannot be used: ${(reason as Error).message}`;
  }
}

interface Mount {
  readonly type: string;
  readonly root: string;
  readonly path: string;
  readonly options: readonly string[];
}

function readMounts(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [before, after] = line.split(' - ') as [string, string];
      const [, , , root, path] = before.split(' ') as [string, string, string, string, string];
      const [type, , options] = after.split(' ') as [string, string, string];
      return { type, root, path, options: options.split(',') };
    });
}

/** The groups of this process by controller; that of version 2 by the empty name. */
function readOwnGroups(): Map<string, string> {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) as unknown as [string, string, string];
      return names.split(',').map((name) => [name, path] as const);
    }),
  );
}

function hasControllers(root: string): boolean {
  const controllers = readFileSync(join(root, 'cgroup.controllers'), 'utf8').split(/\s/);
  return controllers.includes('memory') && controllers.includes('pids');
}

function openV1(folders: Readonly<Record<(typeof controllersOfV1)[number], string>>): ControlGroups {
  const bases = Object.values(folders).map((folder) => makeBase(folder));
  const [memoryBase, pidsBase, cpuBase] = bases as [string, string, string];
  let made = 0;
  return {
    create: () => {
      const name = String(made++);
      const [memory, pids, cpu] = [join(memoryBase, name), join(pidsBase, name), join(cpuBase, name)];
      const all = [...new Set([memory, pids, cpu])];
      for (const folder of all) mkdirSync(folder);
      return {
        add: (pid) => all.forEach((folder) => write(folder, 'cgroup.procs', pid)),
        limit: ({ memoryBytes, processes }) => {
          write(memory, 'memory.limit_in_bytes', memoryBytes);
          if (existsSync(join(memory, 'memory.memsw.limit_in_bytes')))
            write(memory, 'memory.memsw.limit_in_bytes', memoryBytes);
          write(pids, 'pids.max', processes);
        },
        usage: () => ({
          cpuMs: readNumber(cpu, 'cpuacct.usage') / 1e6,
          memoryBytes: readNumber(memory, 'memory.usage_in_bytes'),
          peakMemoryBytes: readNumber(memory, 'memory.max_usage_in_bytes'),
        }),
        outOfMemoryKills: () => readField(memory, 'memory.oom_control', 'oom_kill'),
        kill: () => killAll(pids),
        remove: () => removeAll(all),
      };
    },
    close: () => closeBases(bases),
  };
}

function openV2(own: string): ControlGroups {
  const base = makeBase(own);
  if (!existsSync(join(base, 'memory.max'))) divide(own);
  writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +pids');
  let made = 0;
  return {
    create: () => {
      const folder = join(base, String(made++));
      mkdirSync(folder);
      return {
        add: (pid) => write(folder, 'cgroup.procs', pid),
        limit: ({ memoryBytes, processes }) => {
          write(folder, 'memory.max', memoryBytes);
          if (existsSync(join(folder, 'memory.swap.max'))) write(folder, 'memory.swap.max', 0);
          write(folder, 'pids.max', processes);
        },
        usage: () => {
          const memoryBytes = readNumber(folder, 'memory.current');
          return {
            cpuMs: readField(folder, 'cpu.stat', 'usage_usec') / 1e3,
            memoryBytes,
            // Linux 5.19 and newer keep it.
            peakMemoryBytes: existsSync(join(folder, 'memory.peak')) ? readNumber(folder, 'memory.peak') : memoryBytes,
          };
        },
        outOfMemoryKills: () => readField(folder, 'memory.events', 'oom_kill'),
        kill: () => {
          if (existsSync(join(folder, 'cgroup.kill'))) write(folder, 'cgroup.kill', 1);
          else killAll(folder);
        },
        remove: () => removeAll([folder]),
      };
    },
    close: () => closeBases([base]),
  };
}

/**
 * A group of version 2 that has processes cannot have groups with limits below it. Where all its processes are this one
 * and its children, as in a container, they move into a group of their own.
 */
function divide(own: string): void {
  const pids = readFileSync(join(own, 'cgroup.procs'), 'utf8').trim().split('\n').filter(Boolean).map(Number);
  const foreign = pids.find((pid) => !descendsFromThis(pid));
  if (foreign !== undefined) throw new Error(`process ${foreign} shares the group ${own}`);
  const service = join(own, 'crucible-service');
  mkdirSync(service, { recursive: true });
  for (const pid of pids) write(service, 'cgroup.procs', pid);
  writeFileSync(join(own, 'cgroup.subtree_control'), '+memory +pids');
}

function descendsFromThis(pid: number): boolean {
  for (let at = pid; at > 0; at = parentOf(at)) if (at === process.pid) return true;
  return false;
}

function parentOf(pid: number): number {
  const state = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(state.slice(state.lastIndexOf(')') + 2).split(' ')[1]);
}

/** The folder of this process's groups; removes those of processes that are gone. */
function makeBase(folder: string): string {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue;
    const pid = name.slice(prefix.length).split('-')[0]!;
    if (!existsSync(`/proc/${pid}`)) removeBase(join(folder, name));
  }
  for (let i = 0; ; i++) {
    const base = join(folder, `${prefix}${process.pid}-${i}`);
    if (existsSync(base)) continue;
    mkdirSync(base);
    return base;
  }
}

function removeBase(base: string): void {
  try {
    for (const name of readdirSync(base)) if (statSync(join(base, name)).isDirectory()) rmdirSync(join(base, name));
    rmdirSync(base);
  } catch {
    // Something still runs in it; whoever comes next tries again.
  }
}

async function closeBases(bases: readonly string[]): Promise<void> {
  for (let attempt = 0; bases.some((base) => existsSync(base)) && attempt < 100; attempt++) {
    if (attempt > 0) await delay(10);
    bases.forEach(removeBase);
  }
}

function write(folder: string, name: string, value: number): void {
  writeFileSync(join(folder, name), String(value));
}

function readNumber(folder: string, name: string): number {
  return Number(readFileSync(join(folder, name), 'utf8'));
}

function readField(folder: string, name: string, field: string): number {
  const line = readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${field} `));
  return Number(line?.slice(field.length) ?? 0);
}

function killAll(folder: string): void {
  for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The kernel lets a group go a moment after its last process. */
async function removeAll(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let attempt = 0; existsSync(folder) && attempt < 100; attempt++) {
      try {
        rmdirSync(folder);
      } catch {
        await delay(10);
      }
    }
  }
}
