/** What is to be run, and within which limits: checked once, here, before anything starts. */
import { invalidInput } from '@crucible/foundation';

/** A file by its path in the program's working folder. */
export interface ProgramFile {
  readonly path: string;
  readonly content: Uint8Array;
}

export interface Limits {
  /** Milliseconds that a run may take in all, 1 to 300,000. Default: 10,000. */
  readonly wallMs: number;
  /** Milliseconds of processor time of all its processes, 1 to 300,000. Default: as `wallMs`. */
  readonly cpuMs: number;
  /** Bytes of memory of all its processes together, files that it writes included, 32 MiB to 4 GiB. Default: 256 MiB. */
  readonly memoryBytes: number;
  /** Processes and threads at a time, 1 to 256. Default: 32. */
  readonly processes: number;
  /** Bytes of standard output and standard error together, and of the value, 1 to 16 MiB. Default: 1 MiB. */
  readonly outputBytes: number;
  /** Bytes of all files that it has at a time, 1 MiB to 1 GiB. Default: 64 MiB. */
  readonly diskBytes: number;
  /** Files that may be taken out, 0 to 4096. Default: 256. */
  readonly files: number;
}

export interface Program {
  /** Python. */
  readonly code: string;
  /** `sys.argv[1:]`. Default: none. */
  readonly args?: readonly string[];
  /** Standard input. Default: empty. */
  readonly stdin?: Uint8Array;
  /** Put into the working folder before it starts. Default: none. */
  readonly files?: readonly ProgramFile[];
  /** An expression whose value in the program's module, after its end, is wanted: `solution()`. Default: none. */
  readonly expression?: string;
  /** Whether the value of the last statement is wanted, should it be an expression. Default: no. */
  readonly lastValue?: boolean;
  /** Whether the files that it has made or changed are wanted. Default: no. */
  readonly collectFiles?: boolean;
  readonly limits?: Partial<Limits>;
}

export type ResolvedProgram = Required<Omit<Program, 'expression'>> & {
  readonly expression: string | undefined;
  readonly limits: Limits;
};

const MiB = 1024 * 1024;

/** The least and the most of every limit, and what holds where none is given. */
export const limitRanges: Readonly<Record<keyof Limits, readonly [least: number, most: number, usual: number]>> = {
  wallMs: [1, 300_000, 10_000],
  cpuMs: [1, 300_000, 10_000],
  memoryBytes: [32 * MiB, 4096 * MiB, 256 * MiB],
  processes: [1, 256, 32],
  outputBytes: [1, 16 * MiB, MiB],
  diskBytes: [MiB, 1024 * MiB, 64 * MiB],
  files: [0, 4096, 256],
};

const mostCodeBytes = MiB;
const mostArguments = 256;
const mostArgumentBytes = 64 * 1024;
const mostInputFiles = 1024;
const mostPathBytes = 1024;
const mostNameBytes = 255;

/** Checks everything and fills in the defaults. `at` in errors is the field, as a caller spells it. */
export function resolveProgram(program: Program): ResolvedProgram {
  const { code, args = [], stdin = new Uint8Array(), files = [], expression, limits = {} } = program;
  assertText('code', code, mostCodeBytes);
  if (code.trim() === '') throw invalidInput('code: it is empty; a Python program is needed', { at: 'code' });
  if (args.length > mostArguments)
    throw invalidInput(`args: ${args.length} are given; at most ${mostArguments} are allowed`, { at: 'args' });
  args.forEach((arg, i) => assertText(`args[${i}]`, arg, mostArgumentBytes));
  if (expression !== undefined) {
    assertText('expression', expression, mostCodeBytes);
    if (expression.trim() === '')
      throw invalidInput('expression: it is empty; a Python expression is needed', { at: 'expression' });
    if (program.lastValue === true) {
      throw invalidInput('expression: it is given together with last_value; one value is returned', {
        at: 'expression',
      });
    }
  }
  const resolved = resolveLimits(limits);
  assertFiles(files, resolved);
  return {
    code,
    args,
    stdin,
    files,
    expression,
    lastValue: program.lastValue ?? false,
    collectFiles: program.collectFiles ?? false,
    limits: resolved,
  };
}

export function resolveLimits(given: Partial<Limits>): Limits {
  const names = Object.keys(limitRanges) as (keyof Limits)[];
  const limits = Object.fromEntries(
    names.map((name) => {
      const [least, most, usual] = limitRanges[name];
      const value = given[name] ?? (name === 'cpuMs' ? (given.wallMs ?? usual) : usual);
      if (!Number.isInteger(value) || value < least || value > most) {
        const at = `limits.${snakeCase(name)}`;
        throw invalidInput(`${at}: ${value} is given; ${least} to ${most} are allowed`, { at });
      }
      return [name, value];
    }),
  );
  return limits as unknown as Limits;
}

function assertFiles(files: readonly ProgramFile[], { diskBytes }: Limits): void {
  if (files.length > mostInputFiles)
    throw invalidInput(`files: ${files.length} are given; at most ${mostInputFiles} are allowed`, { at: 'files' });
  const seen = new Set<string>();
  let total = 0;
  files.forEach(({ path, content }, i) => {
    const at = `files[${i}].path`;
    assertFilePath(path, at);
    if (seen.has(path)) throw invalidInput(`${at}: ${path} is given twice`, { at });
    seen.add(path);
    total += content.length;
  });
  for (const [i, { path }] of files.entries()) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      const at = `files[${i}].path`;
      if (seen.has(folder)) throw invalidInput(`${at}: ${folder} is a file, and cannot be a folder too`, { at });
    }
  }
  if (total > diskBytes) {
    throw invalidInput(`files: they are ${total} bytes; limits.disk_bytes allows ${diskBytes}`, { at: 'files' });
  }
}

/** Relative, of plain names: what cannot leave the working folder, whoever reads it. */
export function assertFilePath(path: string, at: string): void {
  const wrong = (why: string): Error =>
    invalidInput(`${at}: ${JSON.stringify(path.slice(0, 100))} ${why}; a relative path of plain names is allowed`, {
      at,
    });
  if (path === '') throw wrong('is empty');
  if (!path.isWellFormed()) throw wrong('is no well-formed text');
  if (Buffer.byteLength(path) > mostPathBytes) throw wrong(`is longer than ${mostPathBytes} bytes`);
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\]/.test(path)) throw wrong('has control characters or backslashes');
  for (const name of path.split('/')) {
    if (name === '') throw wrong('has an empty name');
    if (name === '.' || name === '..') throw wrong(`has the name ${name}`);
    if (Buffer.byteLength(name) > mostNameBytes) throw wrong(`has a name of more than ${mostNameBytes} bytes`);
  }
}

function assertText(at: string, text: string, mostBytes: number): void {
  if (!text.isWellFormed()) throw invalidInput(`${at}: it has half of a surrogate pair; text is allowed`, { at });
  if (text.includes('\0')) throw invalidInput(`${at}: it has a NUL character; text without is allowed`, { at });
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes)
    throw invalidInput(`${at}: it is ${bytes} bytes long; at most ${mostBytes} are allowed`, { at });
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
