import { join } from 'node:path';
import type { Command } from 'commander';
import { ModelRegistry } from '@crucible/checkpoint';
import { resolveSettings, type Settings } from '@crucible/service';

/** Settings from the environment with the command's own options over them. */
export function settingsFor(command: Command, more: Readonly<Record<string, string | undefined>> = {}): Settings {
  const { home } = command.optsWithGlobals<{ home?: string }>();
  const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
  return resolveSettings({ ...process.env, ...(home !== undefined && { CRUCIBLE_HOME: home }), ...given });
}

export function modelsFolder({ home }: Settings): string {
  return join(home, 'models');
}

export function registryOf(settings: Settings): ModelRegistry {
  return new ModelRegistry(modelsFolder(settings));
}

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
