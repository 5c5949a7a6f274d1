import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { join } from 'node:path';
import type { Program } from '../ir/graph.ts';
import { hashProgram } from '../ir/hash-program.ts';
import { onnxRuntimeVersion } from '../runtime/session.ts';

/** The key of a program in the cache: its graph and `options`, and what compiles it and is to run it. */
export function compileKey(program: Program, options: Readonly<Record<string, unknown>>): string {
  const parts = [hashProgram(program), JSON.stringify(options), environment()];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

let known: string | undefined;

function environment(): string {
  return (known ??= [onnxRuntimeVersion, platform(), arch(), processor(), compilerVersion()].join('\n'));
}

/** Of this library: its sources, which are what runs. A version number would be forgotten when they change. */
function compilerVersion(): string {
  const hash = createHash('sha256');
  const folder = join(import.meta.dirname, '..');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort())
    hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

/** ONNX Runtime lays some weights out for the vector units that it finds. */
function processor(): string {
  const model = cpus()[0]?.model ?? '';
  try {
    const lines = readFileSync('/proc/cpuinfo', 'utf8').split('\n');
    return lines.find((line) => /^(?:flags|Features)\s*:/.test(line)) ?? model;
  } catch {
    return model;
  }
}
