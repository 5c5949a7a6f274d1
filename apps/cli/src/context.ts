import type { Command } from 'commander';
import { CrucibleError } from '@crucible/foundation';
import { resolveSettings, type Settings } from '@crucible/service';

/** Settings from the environment with the command's own options over them. */
export function settingsFor(command: Command, more: Readonly<Record<string, string | undefined>> = {}): Settings {
  const { home, device, precision } = command.optsWithGlobals<{ home?: string; device?: string; precision?: string }>();
  const all = { CRUCIBLE_DEVICE: device, CRUCIBLE_PRECISION: precision, ...more };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  try {
    return resolveSettings({ ...process.env, ...(home !== undefined && { CRUCIBLE_HOME: home }), ...given });
  } catch (reason) {
    const { at, message, code } = CrucibleError.from(reason);
    if (at === undefined || !Object.hasOwn(given, at)) throw reason;
    // It came by an option: CRUCIBLE_GATEWAY_PORT by --port.
    const option = `--${at.split('_').at(-1)!.toLowerCase()}`;
    throw new CrucibleError(code, message.replace(`${at}=`, `${option} `), { at: option, cause: reason });
  }
}

/** Of commands that start a service, or a trainer where none runs. */
export const deviceOption = [
  '--device <device>',
  'where to compute: cpu, webgpu, cuda, auto (default: $CRUCIBLE_DEVICE or cpu)',
] as const;

/** Of those that train. */
export const precisionOption = [
  '--precision <type>',
  'of matrix products: float32, float16, bfloat16 (default: $CRUCIBLE_PRECISION or float32)',
] as const;

/** A program reads standard output: one JSON value on a line. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** For people, beside the result. */
export function note(text = ''): void {
  process.stderr.write(`${text}\n`);
}
