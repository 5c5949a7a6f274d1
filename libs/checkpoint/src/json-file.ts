import { readFileSync } from 'node:fs';
import { CrucibleError, invalidInput, writeFileAtomic } from '@crucible/foundation';
import { isRecord } from './is-record.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object in a file; errors name the file. */
export function readJsonObject(path: string): JsonObject {
  const value = readJson(path);
  return isRecord(value) ? value : fail(path, 'no JSON object');
}

export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (reason) {
    return fail(path, `no valid JSON: ${(reason as Error).message}`, reason);
  }
}

export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

function fail(path: string, what: string, cause?: unknown): never {
  throw invalidInput(`${path}: ${what}`, { at: path, cause });
}
