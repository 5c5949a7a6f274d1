/**
 * How a folder of sentence-transformers makes one vector of a text: modules.json names a transformer, a pooling and
 * perhaps a normalisation, one after the other.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import type { Pooling } from '@crucible/nn';
import { isRecord } from './is-record.ts';
import { readJson, readJsonObject, writeJson } from './json-file.ts';

export interface SentenceSettings {
  readonly pooling: Pooling;
  /** Tokens of a text that are read at most; longer ones are cut. Undefined: as many as the model has positions. */
  readonly maxTokens?: number;
  /** What is put before a text, by the names of its purposes; none is by itself. */
  readonly prompts?: Readonly<Record<string, string>>;
}

const file = 'modules.json';

/** What sentence-transformers does with a model that is none of its own. */
const plainPooling: Pooling = { mode: 'mean', normalize: false };

export function isSentenceFolder(folder: string): boolean {
  return existsSync(join(folder, file));
}

/** The settings of a folder; what would change vectors and is not known is refused by name. */
export function loadSentenceSettings(folder: string): SentenceSettings {
  if (!isSentenceFolder(folder)) return { pooling: plainPooling, ...loadTexts(folder) };
  const path = join(folder, file);
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  const modules = readJson(path);
  if (!Array.isArray(modules)) return fail('no list of modules');
  const parts = modules.map((module: unknown) => {
    const { type, path: place } = isRecord(module) ? module : {};
    if (typeof type !== 'string' || typeof place !== 'string') return fail('a module has no type and path');
    if (place !== '' && basename(place) !== place) fail(`${JSON.stringify(place)} is no folder beside it`);
    return { name: type.split('.').at(-1)!, path: place };
  });
  const [transformer, pooling, normalize] = parts;
  const isSupported =
    transformer?.name === 'Transformer' &&
    transformer.path === '' &&
    pooling?.name === 'Pooling' &&
    (normalize === undefined || normalize.name === 'Normalize') &&
    parts.length <= 3;
  if (!isSupported) {
    fail(
      `its modules are ${parts.map(({ name }) => name).join(', ')}; supported are Transformer, Pooling and perhaps Normalize`,
    );
  }
  const mode = poolingMode(join(folder, pooling!.path, 'config.json'));
  return { pooling: { mode, normalize: normalize !== undefined }, ...loadTexts(folder) };
}

const modeFields: Readonly<Record<string, Pooling['mode']>> = {
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_sqrt_len_tokens: 'mean-sqrt-length',
};

/** Of newer files, which have one field `pooling_mode`. */
const modeNames: Readonly<Record<string, Pooling['mode']>> = {
  mean: 'mean',
  cls: 'cls',
  max: 'max',
  mean_sqrt_len_tokens: 'mean-sqrt-length',
};

function poolingMode(path: string): Pooling['mode'] {
  const { pooling_mode: named, include_prompt: countsPrompt, ...json } = readJsonObject(path);
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  if (countsPrompt === false) fail('include_prompt is false; pooling that leaves prompts out is not supported');
  if (named !== undefined) {
    const mode = typeof named === 'string' ? modeNames[named] : undefined;
    return mode ?? fail(`pooling_mode is ${JSON.stringify(named)}; supported are ${Object.keys(modeNames).join(', ')}`);
  }
  const chosen = Object.entries(json).flatMap(([key, value]) => (key.startsWith('pooling_mode') && value ? [key] : []));
  const [only] = chosen;
  const mode = only === undefined || chosen.length > 1 ? undefined : modeFields[only];
  return (
    mode ??
    fail(
      `${chosen.length === 0 ? 'no way of pooling' : chosen.join(' and ')} is chosen; supported is one of ${Object.keys(modeFields).join(', ')}`,
    )
  );
}

function loadTexts(folder: string): Pick<SentenceSettings, 'maxTokens' | 'prompts'> {
  const maxTokens = lengthIn(folder, 'sentence_bert_config.json', 'max_seq_length');
  const longest = maxTokens ?? lengthIn(folder, 'tokenizer_config.json', 'model_max_length');
  const whole = join(folder, 'config_sentence_transformers.json');
  const json = existsSync(whole) ? readJsonObject(whole) : {};
  const { prompts, default_prompt_name: byDefault } = json;
  const fail = (what: string): never => {
    throw invalidInput(`${whole}: ${what}`, { at: whole });
  };
  if (typeof byDefault === 'string')
    fail(
      `default_prompt_name is ${JSON.stringify(byDefault)}; prompts that are put before every text are not supported`,
    );
  const entries = isRecord(prompts) ? Object.entries(prompts) : [];
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) fail('a prompt is no text');
  const texts = entries.filter(([, text]) => text !== '') as [string, string][];
  return {
    ...(longest !== undefined && { maxTokens: longest }),
    ...(texts.length > 0 && { prompts: Object.fromEntries(texts) }),
  };
}

/** Tokenizers of no limit name one of thirty digits. */
const mostTokens = 1_000_000;

function lengthIn(folder: string, name: string, field: string): number | undefined {
  const path = join(folder, name);
  const value = existsSync(path) ? readJsonObject(path)[field] : undefined;
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < mostTokens
    ? (value as number)
    : undefined;
}

/** Writes the files beside config.json and the weights. */
export function saveSentenceSettings(folder: string, settings: SentenceSettings, hiddenSize: number): void {
  const { pooling, maxTokens, prompts } = settings;
  const module = (idx: number, name: string): Record<string, unknown> => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${name}`,
    type: `sentence_transformers.models.${name}`,
  });
  const names = ['Transformer', 'Pooling', ...(pooling.normalize ? ['Normalize'] : [])];
  for (const name of ['1_Pooling', ...(pooling.normalize ? ['2_Normalize'] : [])])
    mkdirSync(join(folder, name), { recursive: true });
  const modes = Object.entries(modeFields).map(([key, mode]) => [key, mode === pooling.mode] as const);
  writeJson(join(folder, '1_Pooling/config.json'), {
    word_embedding_dimension: hiddenSize,
    ...Object.fromEntries(modes),
  });
  if (maxTokens !== undefined)
    writeJson(join(folder, 'sentence_bert_config.json'), { max_seq_length: maxTokens, do_lower_case: false });
  if (prompts !== undefined)
    writeJson(join(folder, 'config_sentence_transformers.json'), { prompts, default_prompt_name: null });
  writeJson(
    join(folder, file),
    names.map((name, i) => module(i, name)),
  );
}
