/** `bench [NAME] [--json]`: lists the benchmarks, or runs one and prints its figures. */
import { parseArgs } from 'node:util';
import type { Benchmark, Figure } from './benchmark.ts';

export interface Output {
  /** Standard output: the list, the table or one JSON object, nothing else. */
  readonly print: (line: string) => void;
  /** Standard error: progress and errors. */
  readonly report: (line: string) => void;
}

export type ExitCode = 0 | 1 | 2;

/** Exit code 2: the command was given wrongly; 1: the benchmark failed. */
export async function runCommand(
  commandLine: readonly string[],
  benchmarks: Readonly<Record<string, Benchmark>>,
  { print, report }: Output,
): Promise<ExitCode> {
  let parsed;
  try {
    parsed = parseArgs({ args: [...commandLine], options: { json: { type: 'boolean' } }, allowPositionals: true });
  } catch (reason) {
    report(`bench: ${(reason as Error).message}`);
    return 2;
  }
  const [name, ...rest] = parsed.positionals;
  if (rest.length > 0) {
    report(`bench: one benchmark at a time; got ${parsed.positionals.join(', ')}`);
    return 2;
  }
  if (name === undefined) {
    print(listOf(benchmarks));
    return 0;
  }
  if (!Object.hasOwn(benchmarks, name)) {
    report(`bench: ${name} does not exist; there are ${Object.keys(benchmarks).join(', ')}`);
    return 2;
  }
  const benchmark = benchmarks[name]!;
  try {
    const metrics = await benchmark.run(report);
    print(parsed.values.json ? JSON.stringify({ bench: name, metrics }) : tableOf(benchmark, metrics));
    return 0;
  } catch (reason) {
    report(`bench ${name}: ${(reason as Error).message}`);
    return 1;
  }
}

function listOf(benchmarks: Readonly<Record<string, Benchmark>>): string {
  const entries = Object.entries(benchmarks).map(([name, { description, metrics }]) => {
    const keys = Object.entries(metrics).map(([key, { meaning, unit }]) => [
      `  ${key}`,
      unit === '' ? meaning : `${meaning}, ${unit}`,
    ]);
    return [`${name}: ${description}`, ...aligned(keys)].join('\n');
  });
  return entries.join('\n\n');
}

function tableOf({ metrics }: Benchmark, figures: Readonly<Record<string, Figure | undefined>>): string {
  const rows = Object.entries(metrics).map(([key, { meaning, unit }]) => [
    key,
    textOf(figures[key] ?? null),
    unit,
    meaning,
  ]);
  const note = figures['note'];
  return [...aligned(rows), ...(note === undefined ? [] : [`note: ${textOf(note)}`])].join('\n');
}

function textOf(figure: Figure): string {
  if (figure === null) return '-';
  const number = (value: number): string => String(Number(value.toPrecision(4)));
  if (typeof figure === 'object')
    return Object.entries(figure)
      .map(([name, value]) => `${name} ${number(value)}`)
      .join(', ');
  return typeof figure === 'string' ? figure : number(figure);
}

/** Rows as lines, their columns padded to one width. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
