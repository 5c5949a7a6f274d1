import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, readJsonObject } from './json-file.ts';

export interface SpecialTokenIds {
  readonly bos: number;
  /** Tokens that end an answer; the first is the one that training teaches. */
  readonly eos: readonly number[];
  readonly pad: number;
}

/** The tokens that a folder's generation_config.json names, or else its config.json; absent ones are undefined. */
export function loadSpecialTokenIds(folder: string): Partial<SpecialTokenIds> {
  const files = ['generation_config.json', 'config.json'].map((name) => join(folder, name));
  const [first, second] = files.map((path) => (existsSync(path) ? readJsonObject(path) : {})) as [
    JsonObject,
    JsonObject,
  ];
  const idsOf = (key: string): number[] => {
    const [own, other] = [wholeNumbers(first[key]), wholeNumbers(second[key])];
    return own.length > 0 ? own : other;
  };
  const [[bos], eos, [pad]] = [idsOf('bos_token_id'), idsOf('eos_token_id'), idsOf('pad_token_id')];
  return {
    ...(bos === undefined ? {} : { bos }),
    ...(eos.length === 0 ? {} : { eos }),
    ...(pad === undefined ? {} : { pad }),
  };
}

function wholeNumbers(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((each): each is number => Number.isInteger(each));
}
