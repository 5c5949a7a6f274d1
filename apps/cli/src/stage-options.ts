import { resolve } from 'node:path';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { InvalidArgumentError } from 'commander';

/** `--set sft.steps=100` and the like, collected into {sft: {steps: 100}}. Values are JSON, or else text. */
export function collectOption(given: string, before: JsonObject = {}): JsonObject {
  const [path, ...rest] = given.split('=');
  if (rest.length === 0 || path === '') throw new InvalidArgumentError('it must be NAME=VALUE, as in sft.steps=100');
  return overlaid(before, path!.split('.'), parseValue(rest.join('=')), path!);
}

function overlaid(before: JsonObject, [key, ...keys]: readonly string[], value: JsonValue, path: string): JsonObject {
  const old = Object.hasOwn(before, key!) ? before[key!] : undefined;
  if (keys.length === 0) {
    if (isGroup(old)) throw new InvalidArgumentError(`${path} is a group of options that have been given already`);
    return { ...before, [key!]: value };
  }
  if (old !== undefined && !isGroup(old))
    throw new InvalidArgumentError(`${key} has been given as a value already, and ${path} is an option of a group`);
  return { ...before, [key!]: overlaid(old ?? {}, keys, value, path) };
}

function isGroup(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const skipInvalidOption = [
  '--skip-invalid',
  'leave rows of the files out that break the rules, and say how many',
] as const;

/** What `--skip-invalid` stands for, over the options that `--set` gave. */
export function withSkippedRows(set: JsonObject): JsonObject {
  return { ...set, data: { ...(set['data'] as JsonObject | undefined), skipInvalidRows: true } };
}

/** What `--adapter` stands for, over the options that `--set` gave. */
export function withAdapter(set: JsonObject, kind: string): JsonObject {
  return { ...set, adapter: { ...(set['adapter'] as JsonObject | undefined), kind } };
}

export function collectPath(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, resolve(given)];
}

export function parseSeed(given: string): number {
  const seed = Number(given);
  if (!Number.isInteger(seed) || seed < 0 || seed > 4_294_967_295) {
    throw new InvalidArgumentError('it must be a whole number from 0 to 4294967295');
  }
  return seed;
}

export function parseCount(given: string): number {
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('it must be a whole number from 1');
  return count;
}

function parseValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
