/** Starts the suite of a device as a process of its own, and reads what it says. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Device } from '../device.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { SuiteLine } from './device-suite.ts';
import { primitiveCases } from './primitive-cases.ts';

export interface SuiteRun {
  readonly lines: readonly SuiteLine[];
  /** How the process ended, and its last words; nothing where it ended well. */
  readonly failure?: string;
}

export function runDeviceSuite(
  device: Device,
  environment: Readonly<Record<string, string>>,
  timeout = 600_000,
): Promise<SuiteRun> {
  const script = fileURLToPath(new URL('device-suite.ts', import.meta.url));
  const options = { env: { ...process.env, ...environment }, timeout, maxBuffer: 1 << 26 };
  return new Promise((resolve) => {
    execFile(process.execPath, [script, device], options, (error, stdout, stderr) => {
      const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
      const lines = whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as SuiteLine]));
      resolve({ lines, ...(error && { failure: `${error.signal ?? error.code}: ${stderr.slice(-2000)}` }) });
    });
  });
}

/** The devices column of docs/tensor.md: where every program of a primitive's agreed with the reference. */
export function devicesOf(lines: readonly SuiteLine[], device: Device = 'webgpu'): Map<Primitive, string> {
  const failed = new Set(lines.flatMap(({ of, error }) => (error === undefined ? [] : [of])));
  const names = Object.keys(primitiveCases) as Primitive[];
  return new Map(names.map((name) => [name, failed.has(name) ? 'cpu' : `cpu, ${device}`]));
}
