import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  BoundarySchema,
  type ExecuteRequestSchema,
  type ExecutionFinished,
  Outcome,
  OutcomeSchema,
  OutputStream,
} from '@crucible/protos/sandbox/v1';
import { note, printJson, settingsFor } from '../context.ts';
import { accessSandbox } from '../sandbox-access.ts';

interface RunOptions {
  readonly file: readonly string[];
  readonly out?: string;
  readonly value?: string;
  readonly timeout: number;
  readonly memory: number;
  readonly processes?: number;
  readonly disk: number;
  readonly boundary?: string;
  readonly json?: true;
}

const MiB = 1024 * 1024;
/** Milliseconds beside the program's own: for its turn, and for a sandbox that has to be opened first. */
const patience = 180_000;

/** As shells have it: 124 for a timeout, 137 for a kill. */
const exitCodes: Readonly<Partial<Record<Outcome, number>>> = {
  [Outcome.OK]: 0,
  [Outcome.ERROR]: 1,
  [Outcome.TIMEOUT]: 124,
  [Outcome.MEMORY]: 137,
  [Outcome.OUTPUT_LIMIT]: 137,
  [Outcome.KILLED]: 137,
  [Outcome.CANCELLED]: 130,
};

/** Runs a Python program that cannot hurt: it sees the files that are given to it, and nothing else. */
export function runCommand(): Command {
  return new Command('run')
    .argument('<program>', 'a file of Python; - reads the program from standard input')
    .argument('[args...]', "the program's arguments, after -- where they begin with a dash")
    .option('--file <path>', 'a file for its working folder; may be repeated', collect, [])
    .option('--out <dir>', 'a folder for the files that it makes (default: they are lost)')
    .option('--value <expression>', 'print the value of an expression after its end, as solution()')
    .option('--timeout <seconds>', 'the longest it may run', numberFrom(0.001, 300), 10)
    .option('--memory <MiB>', 'the most memory it may have', numberFrom(32, 4096), 256)
    .option('--processes <number>', 'the most processes and threads at a time (default: 32)', numberFrom(1, 256))
    .option('--disk <MiB>', 'the most that its files may hold', numberFrom(1, 1024), 64)
    .addOption(
      new Option('--boundary <name>', 'what holds it (default: $CRUCIBLE_SANDBOX_BOUNDARY or the strongest)').choices([
        'auto',
        'bubblewrap',
        'pyodide',
      ]),
    )
    .option('--json', 'print what became of it as JSON')
    .addHelpText(
      'after',
      "\nStandard input is the program's. Exit codes: the program's own; 124 when it ran out of time, 137 when it met another limit or was killed.",
    )
    .action(async (path: string, args: readonly string[], options: RunOptions, command: Command) => {
      const request = requestFrom(path, args, options);
      const settings = settingsFor(command, { CRUCIBLE_SANDBOX_BOUNDARY: options.boundary });
      await using access = await accessSandbox(settings);
      const interrupted = new AbortController();
      const stop = (): void => interrupted.abort();
      process.once('SIGINT', stop);
      try {
        const call = { signal: interrupted.signal, deadlineMs: options.timeout * 1000 + patience };
        const end = await show(access.sandbox.execute(request, call), options);
        process.exitCode = end.outcome === Outcome.ERROR && end.exitCode ? end.exitCode : (exitCodes[end.outcome] ?? 1);
      } finally {
        process.off('SIGINT', stop);
      }
    });
}

function requestFrom(
  path: string,
  args: readonly string[],
  { file, out, value, timeout, memory, processes, disk }: RunOptions,
): MessageInitShape<typeof ExecuteRequestSchema> {
  const isInput = path === '-';
  const code = isInput ? readFileSync(0) : readGiven(path, 'the program');
  const text = new TextDecoder('utf-8', { fatal: true });
  try {
    text.decode(code);
  } catch (reason) {
    throw invalidInput(`${path}: it is not UTF-8`, { at: 'program', cause: reason });
  }
  return {
    code: code.toString(),
    args: [...args],
    stdin: isInput || process.stdin.isTTY ? new Uint8Array() : readFileSync(0),
    files: file.map((given) => ({ path: basename(given), content: readGiven(given, '--file') })),
    collectFiles: out !== undefined,
    limits: {
      wallMs: Math.round(timeout * 1000),
      memoryBytes: BigInt(Math.round(memory * MiB)),
      diskBytes: Math.round(disk * MiB),
      ...(processes !== undefined && { processes }),
    },
    ...(value !== undefined && { value: { case: 'expression', value } }),
  };
}

/** Shows output as it comes, or gathers all for JSON. */
async function show(
  responses: ReturnType<Awaited<ReturnType<typeof accessSandbox>>['sandbox']['execute']>,
  { out, json }: RunOptions,
): Promise<ExecutionFinished> {
  const said = new Map<OutputStream, Buffer[]>([
    [OutputStream.STDOUT, []],
    [OutputStream.STDERR, []],
  ]);
  const files = new Map<string, Buffer[]>();
  for await (const { event } of responses) {
    if (event.case === 'output') {
      const { stream, content } = event.value;
      if (json) said.get(stream)?.push(Buffer.from(content));
      else (stream === OutputStream.STDERR ? process.stderr : process.stdout).write(content);
    } else if (event.case === 'file') {
      const parts = files.get(event.value.path) ?? [];
      files.set(event.value.path, [...parts, Buffer.from(event.value.content)]);
    } else if (event.case === 'finished') {
      if (out !== undefined) writeFiles(out, files);
      const end = event.value;
      if (json) {
        const textOf = (stream: OutputStream): string => Buffer.concat(said.get(stream)!).toString();
        printJson(jsonOf(end, textOf(OutputStream.STDOUT), textOf(OutputStream.STDERR), [...files.keys()]));
      } else {
        if (end.value) process.stdout.write(`${end.value.repr}\n`);
        if (end.message !== '' && !end.exception) note(`crucible: the program: ${end.message}`);
      }
      return end;
    }
  }
  throw new CrucibleError('unavailable', 'the sandbox did not say how the program ended');
}

function jsonOf(
  { outcome, message, exitCode, exception, value, usage, boundary }: ExecutionFinished,
  stdout: string,
  stderr: string,
  files: readonly string[],
): object {
  return {
    outcome: OutcomeSchema.value[outcome]?.localName.toLowerCase(),
    message,
    boundary: BoundarySchema.value[boundary]?.localName.toLowerCase(),
    exit_code: exitCode ?? null,
    exception: exception && { type: exception.type, message: exception.message },
    value: value ? { repr: value.repr, json: value.json ?? null } : null,
    stdout,
    stderr,
    files,
    wall_ms: usage?.wallMs,
    cpu_ms: usage?.cpuMs,
    peak_memory_bytes: Number(usage?.peakMemoryBytes),
  };
}

/** Their paths have been checked: they are relative, of plain names. */
function writeFiles(folder: string, files: ReadonlyMap<string, readonly Buffer[]>): void {
  for (const [path, parts] of files) {
    const to = join(folder, path);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, Buffer.concat(parts));
  }
}

function readGiven(path: string, what: string): Buffer {
  try {
    if (statSync(path).isFile()) return readFileSync(path);
  } catch (reason) {
    throw invalidInput(`${what}: ${path} cannot be read: ${CrucibleError.from(reason).message}`, { cause: reason });
  }
  throw invalidInput(`${what}: ${path} is not a file`);
}

function collect(path: string, others: readonly string[]): string[] {
  return [...others, path];
}

function numberFrom(least: number, most: number) {
  return (given: string): number => {
    const value = Number(given);
    if (given.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`it must be a number from ${least} to ${most}`);
  };
}
