/**
 * CPython as WebAssembly (Pyodide) in Deno, which has given back every permission before a program comes. Pyodide itself
 * is no boundary: a program can reach the JavaScript around it. That JavaScript can compute, and nothing else.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import type { Boundary, Interpreter } from '../boundary.ts';
import { type ControlGroups, openControlGroups } from '../control-groups.ts';
import { HeldProcess } from '../held-process.ts';
import { ProcessInterpreter } from '../process-interpreter.ts';
import { resolveProgram } from '../program.ts';
import { supervise } from '../supervise.ts';
import { findDeno } from './find-deno.ts';

/** Of Deno and Pyodide, beyond what the program may have: 200 MB at rest, and room for its collector. */
const own = { memoryBytes: 320 * 1024 * 1024, processes: 64 };
/** Of JavaScript, in MiB; the program's own memory is WebAssembly's. */
const heapMiB = 128;
const nobody = 65_534;
const pictureDeadline = 300_000;

const worker = fileURLToPath(new URL('./interpreter.mjs', import.meta.url));
const runner = fileURLToPath(new URL('../python/program_runner.py', import.meta.url));

export interface PyodideOptions {
  /** A folder that nobody else can write, where the picture of the loaded interpreter stays. Default: made anew each time. */
  readonly cache?: string;
  /** Weaknesses to name besides its own. */
  readonly known?: readonly string[];
}

/** Fails with `failed-precondition` and the reason where it cannot be had. */
export async function openPyodide({ cache, known = [] }: PyodideOptions = {}): Promise<Boundary> {
  if (process.platform === 'win32')
    throw new CrucibleError('failed-precondition', 'Pyodide cannot be used: Windows has no /bin/sh to start it by');
  const deno = findDeno();
  const pyodide = dirname(createRequire(import.meta.url).resolve('pyodide/package.json')) + sep;
  const groups = openControlGroups();
  const folder = mkdtempSync(join(tmpdir(), 'crucible-pyodide-'));
  const opened = { deno, pyodide, folder, groups: typeof groups === 'string' ? undefined : groups };
  try {
    const user = await usableUser(opened);
    const weaknesses = [
      ...known,
      ...(typeof groups === 'string'
        ? [
            `memory is ${process.platform === 'linux' ? 'watched' : 'held by WebAssembly alone'}, not held by the kernel: ${groups}`,
          ]
        : []),
      ...(user === undefined && process.getuid?.() === 0 ? ['it runs as root, whom its files are for alone'] : []),
    ];
    const picture = join(folder, 'picture');
    const kept = cache === undefined ? undefined : join(cache, `pyodide-${pictureName()}`);
    if (kept !== undefined && existsSync(kept)) copyFileSync(kept, picture);
    else await makePicture(opened, picture, user);
    if (kept !== undefined && !existsSync(kept)) {
      mkdirSync(dirname(kept), { recursive: true, mode: 0o700 });
      writeFileAtomic(kept, readFileSync(picture));
    }
    const boundary = new Pyodide({ ...opened, picture, user, weaknesses });
    await boundary.probe();
    return boundary;
  } catch (reason) {
    if (typeof groups !== 'string') await groups.close();
    rmSync(folder, { recursive: true, force: true });
    const { message } = CrucibleError.from(reason);
    throw new CrucibleError('failed-precondition', `Pyodide cannot be used: ${message}`, { cause: reason });
  }
}

interface Opened {
  readonly deno: string;
  /** The folder of the npm package, with a separator at its end. */
  readonly pyodide: string;
  /** For the picture and Deno's cache. */
  readonly folder: string;
  readonly groups: ControlGroups | undefined;
}

interface Parts extends Opened {
  readonly picture: string;
  readonly user: number | undefined;
  readonly weaknesses: readonly string[];
}

class Pyodide implements Boundary {
  readonly name = 'pyodide';
  readonly weaknesses: readonly string[];
  readonly #parts: Parts;
  #python = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    this.weaknesses = parts.weaknesses;
  }

  get python(): string {
    return this.#python;
  }

  kindOf(): string {
    return '';
  }

  async start(): Promise<Interpreter> {
    const { deno, pyodide, picture, user, groups } = this.#parts;
    const held = new HeldProcess({
      command: deno,
      args: [...permissions({ read: [pyodide, picture] }), worker, pathToFileURL(pyodide).href, picture],
      env: environment(this.#parts),
      stdio: 'pipe',
      gate: 0,
      user,
      groups,
    });
    endWithThisProcess(held.child);
    const { stdin, stdout, stderr } = held.child as ChildProcessWithoutNullStreams;
    return ProcessInterpreter.start('Pyodide in Deno', {
      held,
      up: stdout,
      down: stdin,
      streams: undefined,
      diagnostics: stderr,
      own,
    });
  }

  async probe(): Promise<void> {
    const program = resolveProgram({ code: 'import sys; sys.version.split()[0]', lastValue: true });
    const { value, message } = await supervise(this.name, await this.start(), program, {});
    if (value?.json === undefined) throw new CrucibleError('internal', `a first program did not run: ${message}`);
    this.#python = `CPython ${String(JSON.parse(value.json))} (Pyodide)`;
  }

  async close(): Promise<void> {
    await this.#parts.groups?.close();
    rmSync(this.#parts.folder, { recursive: true, force: true });
  }
}

/** Everything that Deno can be told not to do. Reading is given back when the interpreter is loaded. */
function permissions({ read, write }: { readonly read: readonly string[]; readonly write?: string }): string[] {
  return [
    ...['run', '--quiet', '--no-prompt', '--no-config', '--no-lock', '--no-remote', '--no-npm', '--cached-only'],
    ...['net', 'env', 'sys', 'run', 'ffi', 'import'].map((name) => `--deny-${name}`),
    `--allow-read=${read.join(',')}`,
    write === undefined ? '--deny-write' : `--allow-write=${write}`,
    `--v8-flags=--max-old-space-size=${heapMiB},--disallow-code-generation-from-strings`,
  ];
}

function environment({ folder }: Opened): NodeJS.ProcessEnv {
  return { DENO_DIR: join(folder, 'deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', HOME: folder, TMPDIR: folder };
}

/** Nobody, where this process is root and nobody can read what is needed; else who this process is. */
async function usableUser({ deno, pyodide, folder }: Opened): Promise<number | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  chownSync(folder, nobody, nobody);
  try {
    const options = { uid: nobody, gid: nobody, env: {}, timeout: pictureDeadline };
    const readable = [
      '-c',
      'test -x "$1" && test -r "$2" && test -r "$3"',
      'sh',
      deno,
      worker,
      join(pyodide, 'package.json'),
    ];
    await promisify(execFile)('/bin/sh', readable, options);
    return nobody;
  } catch {
    chownSync(folder, 0, 0);
    return undefined;
  }
}

/** The picture holds Pyodide's Python and ours, and its JavaScript must be as it was. */
function pictureName(): string {
  const { version } = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('pyodide/package.json'), 'utf8'),
  ) as { version: string };
  const ours = [worker, runner].map((path) => readFileSync(path));
  return `${version}-${createHash('sha256').update(Buffer.concat(ours)).digest('hex').slice(0, 16)}`;
}

/** Loads Pyodide once, which takes seconds; from the picture of its memory it then starts in a fraction of one. */
async function makePicture(opened: Opened, picture: string, user: number | undefined): Promise<void> {
  const { deno, pyodide } = opened;
  const args = [...permissions({ read: [pyodide, runner], write: picture }), worker];
  await promisify(execFile)(deno, [...args, pathToFileURL(pyodide).href, picture, runner], {
    env: environment(opened),
    timeout: pictureDeadline,
    ...(user !== undefined && { uid: user, gid: user }),
  }).catch((reason: unknown) => {
    const { killed, stderr } = reason as { killed: boolean; stderr: string };
    const why = killed ? `it took longer than ${pictureDeadline} ms` : stderr.trim().slice(-300);
    throw new CrucibleError('unavailable', `Pyodide could not be loaded: ${why}`, { cause: reason });
  });
}

/** A program that never comes back would not notice that this process is gone: a shell does, and kills it. */
function endWithThisProcess(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const watch = spawn('/bin/sh', ['-c', `read -r _; kill -9 ${child.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.once('close', () => watch.kill('SIGKILL'));
}
