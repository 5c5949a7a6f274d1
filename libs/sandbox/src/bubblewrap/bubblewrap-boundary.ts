/**
 * CPython in a bubblewrap: new namespaces of every kind, a user that is not root, a root folder of its own that cannot be
 * written, no network, a filter of system calls, and limits by rlimits and control groups.
 */
import { type ChildProcessWithoutNullStreams, execFile } from 'node:child_process';
import { closeSync, lstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CrucibleError, findProgram, isExecutable } from '@crucible/foundation';
import type { Boundary, Interpreter } from '../boundary.ts';
import { type ControlGroups, openControlGroups } from '../control-groups.ts';
import { HeldProcess } from '../held-process.ts';
import { ProcessInterpreter } from '../process-interpreter.ts';
import { type Limits, resolveProgram } from '../program.ts';
import { supervise } from '../supervise.ts';
import { isFilteredArchitecture, seccompFilter } from './seccomp-filter.ts';

/** Nobody; where the service is root, what it starts is not. */
const nobody = 65_534;
/** Of interpreter, keeper and bubblewrap, beyond what the program may have. */
const own = { memoryBytes: 48 * 1024 * 1024, processes: 3 };
const probeDeadline = 20_000;
const channelDescriptor = 3;
const filterDescriptor = 4;

const sharedMemoryBytes = 4 * 1024 * 1024;

const keeper = ['../python/program_runner.py', './keeper.py']
  .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
  .join('\n');

/** Fails with `failed-precondition` and the reason where it cannot be had. */
export async function openBubblewrap(): Promise<Boundary> {
  if (process.platform !== 'linux') throw unusable('it is for Linux');
  const { arch } = process;
  if (!isFilteredArchitecture(arch)) throw unusable(`there is no filter of system calls for ${arch}`);
  const bwrap = findProgram(['bwrap'], process.env['PATH']);
  if (bwrap === undefined) throw unusable('bwrap is not on PATH (Debian: apt-get install bubblewrap)');
  const python = ['/usr/bin/python3', '/usr/local/bin/python3'].find(isExecutable);
  if (python === undefined) throw unusable('there is no /usr/bin/python3 (Debian: apt-get install python3)');
  const { stdout } = await promisify(execFile)(python, ['-I', '--version'], { timeout: probeDeadline });
  const groups = openControlGroups();
  const folder = mkdtempSync(join(tmpdir(), 'crucible-bubblewrap-'));
  const filter = join(folder, 'seccomp');
  writeFileSync(filter, seccompFilter(arch));
  const boundary = new Bubblewrap({
    bwrap,
    python,
    version: stdout.trim().replace('Python', 'CPython'),
    folder,
    filter,
    groups: typeof groups === 'string' ? undefined : groups,
    weaknesses:
      typeof groups === 'string'
        ? [`memory is held for each process and watched for all together, not by the kernel: ${groups}`]
        : [],
  });
  try {
    await boundary.probe();
  } catch (reason) {
    await boundary.close();
    throw unusable(CrucibleError.from(reason).message, reason);
  }
  return boundary;
}

interface Parts {
  readonly bwrap: string;
  readonly python: string;
  readonly version: string;
  readonly folder: string;
  readonly filter: string;
  readonly groups: ControlGroups | undefined;
  readonly weaknesses: readonly string[];
}

class Bubblewrap implements Boundary {
  readonly name = 'bubblewrap';
  readonly python: string;
  readonly weaknesses: readonly string[];
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.python = parts.version;
    this.weaknesses = parts.weaknesses;
  }

  kindOf({ diskBytes }: Limits): string {
    return `disk ${diskBytes}`;
  }

  async start(limits: Limits): Promise<Interpreter> {
    const { bwrap, python, filter, groups } = this.#parts;
    const descriptor = openSync(filter, 'r');
    const held = new HeldProcess({
      command: bwrap,
      args: [...walls(limits.diskBytes), python, '-I', '-B', '-X', 'utf8', '-c', keeper],
      env: {},
      stdio: ['pipe', 'pipe', 'pipe', 'pipe', descriptor],
      gate: channelDescriptor,
      user: process.getuid?.() === 0 ? nobody : undefined,
      groups,
    });
    closeSync(descriptor);
    const channel = held.child.stdio[channelDescriptor] as Socket;
    const { stdin, stdout, stderr } = held.child as ChildProcessWithoutNullStreams;
    return ProcessInterpreter.start('an interpreter in bubblewrap', {
      held,
      up: channel,
      down: channel,
      streams: { stdin, stdout, stderr },
      diagnostics: stderr,
      own,
    });
  }

  /** Whether a program runs here and sees a world of its own. */
  async probe(): Promise<void> {
    const program = resolveProgram({ code: probe, lastValue: true });
    const { value, message } = await supervise(this.name, await this.start(program.limits), program, {});
    if (value?.json !== '"held"') throw unusable(`it does not hold: ${value?.json ?? message}`);
  }

  async close(): Promise<void> {
    await this.#parts.groups?.close();
    rmSync(this.#parts.folder, { recursive: true, force: true });
  }
}

/** What must be so inside; a wall that silently is not there would be found here. */
const probe = `
import os, socket
wrong = []
if os.getuid() == 0 or os.geteuid() == 0: wrong.append("the user is root")
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
if int(status["CapEff"], 16) or int(status["CapBnd"], 16): wrong.append("there are capabilities")
if status["NoNewPrivs"].strip() != "1": wrong.append("new privileges can be had")
if status["Seccomp"].strip() != "2": wrong.append("system calls are not filtered")
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 4: wrong.append("other processes can be seen")
try:
    socket.socket(socket.AF_INET)
    wrong.append("there is a network")
except OSError:
    pass
try:
    open("/crucible-probe", "w")
    wrong.append("the root folder can be written")
except OSError:
    pass
"; ".join(wrong) or "held"
`;

/** The arguments of bubblewrap but for the command. */
function walls(diskBytes: number): string[] {
  return [
    // Everything new: users, processes, network, mounts, names, IPC, control groups; and no more of users after that.
    ['--unshare-all', '--unshare-user', '--disable-userns'],
    ['--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL'],
    ['--die-with-parent', '--new-session', '--hostname', 'sandbox'],
    ['--ro-bind', '/usr', '/usr'],
    ...['bin', 'lib', 'lib32', 'lib64', 'sbin'].map(rootEntry),
    ['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ['--size', String(sharedMemoryBytes), '--tmpfs', '/dev/shm'],
    ['--size', String(diskBytes), '--tmpfs', '/sandbox', '--dir', '/sandbox/work', '--dir', '/sandbox/tmp'],
    ['--symlink', '/sandbox/tmp', '/tmp', '--remount-ro', '/', '--chdir', '/sandbox/work'],
    ['--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', '--setenv', 'HOME', '/sandbox/work'],
    ['--setenv', 'TMPDIR', '/sandbox/tmp', '--setenv', 'LANG', 'C.UTF-8', '--setenv', 'TZ', 'UTC'],
    // Each thread that allocates would else reserve 64 MiB of address space, which is limited.
    ['--setenv', 'MALLOC_ARENA_MAX', '2', '--setenv', 'OPENBLAS_NUM_THREADS', '1'],
    ['--seccomp', String(filterDescriptor), '--'],
  ].flat();
}

/** `/lib` and its like: links into /usr today, folders on older systems. */
function rootEntry(name: string): string[] {
  const path = `/${name}`;
  const state = lstatSync(path, { throwIfNoEntry: false });
  if (state === undefined) return [];
  return state.isSymbolicLink() ? ['--symlink', `usr/${name}`, path] : ['--ro-bind', path, path];
}

function unusable(why: string, cause?: unknown): CrucibleError {
  const text = why.startsWith('bubblewrap cannot be used') ? why : `bubblewrap cannot be used: ${why}`;
  return new CrucibleError('failed-precondition', text, { cause });
}
