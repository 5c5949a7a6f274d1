/**
 * A tokenizer as GGUF keeps it: tokens by id with their types, merges or scores, and the name by which llama.cpp knows how
 * text is cut before. Read from tokenizer.json itself. What llama.cpp would cut in another way is refused.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalidInput } from '@crucible/foundation';
import { firstSpecialToken } from '../first-special-token.ts';
import { isRecord } from '../is-record.ts';
import { type JsonObject, readJsonObject } from '../json-file.ts';
import type { SpecialTokenIds } from '../special-token-ids.ts';
import type { MetadataValue } from './gguf-writer.ts';

/** llama.cpp's numbers for what a token is. */
const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface Vocabulary {
  readonly tokens: string[];
  readonly types: number[];
}

/** Metadata of the tokenizer in a folder, for a model of `size` rows of embeddings. */
export function ggufTokenizer(
  folder: string,
  size: number,
  ids: Partial<SpecialTokenIds>,
): ReadonlyMap<string, MetadataValue> {
  const path = join(folder, 'tokenizer.json');
  const json = readJsonObject(path);
  const fail = (what: string): never => {
    throw invalidInput(`${path}: ${what}`, { at: path });
  };
  const model = isRecord(json['model']) ? json['model'] : fail('it has no model');
  if (model['type'] !== 'BPE') fail(`its model is ${JSON.stringify(model['type'])}; GGUF is written for BPE alone`);
  const vocabulary = readVocabulary(json, model, size, fail);
  const entries = new Map<string, MetadataValue>();
  const isSentencePiece = model['byte_fallback'] === true;
  if (isSentencePiece) {
    assertSentencePiece(json, fail);
    entries.set('tokenizer.ggml.model', { type: 'string', value: 'llama' });
    entries.set('tokenizer.ggml.pre', { type: 'string', value: 'default' });
  } else {
    entries.set('tokenizer.ggml.model', { type: 'string', value: 'gpt2' });
    entries.set('tokenizer.ggml.pre', { type: 'string', value: preTokenizerName(json, model, fail) });
  }
  entries.set('tokenizer.ggml.tokens', { type: 'strings', value: vocabulary.tokens });
  entries.set('tokenizer.ggml.token_type', { type: 'int32s', value: vocabulary.types });
  const merges = readMerges(model, fail);
  if (isSentencePiece) {
    entries.set('tokenizer.ggml.scores', { type: 'float32s', value: scores(vocabulary, merges) });
  } else {
    entries.set('tokenizer.ggml.merges', { type: 'strings', value: merges.map((pair) => pair.join(' ')) });
  }
  const first = firstSpecialToken(json);
  const addsBos = first !== undefined && first === vocabulary.tokens[ids.bos ?? -1];
  entries.set('tokenizer.ggml.add_bos_token', { type: 'bool', value: addsBos });
  entries.set('tokenizer.ggml.add_eos_token', { type: 'bool', value: false });
  const named = { bos: ids.bos, eos: ids.eos?.[0], eot: ids.eos?.[1], padding: ids.pad };
  for (const [name, id] of Object.entries(named))
    if (id !== undefined) entries.set(`tokenizer.ggml.${name}_token_id`, { type: 'uint32', value: id });
  const unknown = vocabulary.tokens.indexOf(String(model['unk_token']));
  if (unknown !== -1) entries.set('tokenizer.ggml.unknown_token_id', { type: 'uint32', value: unknown });
  const template = chatTemplate(folder);
  if (template !== undefined) entries.set('tokenizer.chat_template', { type: 'string', value: template });
  return entries;
}

type Fail = (what: string) => never;

function readVocabulary(json: JsonObject, model: JsonObject, size: number, fail: Fail): Vocabulary {
  const tokens: string[] = [];
  const types: number[] = [];
  const put = (token: string, id: unknown, type: number): void => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= size)
      fail(`token ${JSON.stringify(token)} has the id ${String(id)}; the model has ${size} rows of embeddings`);
    tokens[id as number] = token;
    types[id as number] = type;
  };
  const vocab = isRecord(model['vocab']) ? model['vocab'] : fail('model.vocab is no object');
  const isByte = (token: string): boolean => model['byte_fallback'] === true && /^<0x[0-9A-F]{2}>$/.test(token);
  for (const [token, id] of Object.entries(vocab)) put(token, id, isByte(token) ? tokenType.byte : tokenType.normal);
  for (const added of Array.isArray(json['added_tokens']) ? (json['added_tokens'] as unknown[]) : []) {
    if (!isRecord(added) || typeof added['content'] !== 'string') return fail('an added token has no content');
    const isUnknown = added['content'] === model['unk_token'];
    const special = isUnknown ? tokenType.unknown : tokenType.control;
    put(added['content'], added['id'], added['special'] === true ? special : tokenType.userDefined);
  }
  // Rows of embeddings that no token has, up to a round number.
  for (let id = 0; id < size; id++) if (tokens[id] === undefined) put(`[PAD${id}]`, id, tokenType.unused);
  return { tokens, types };
}

function readMerges(model: JsonObject, fail: Fail): [string, string][] {
  const merges = model['merges'];
  if (!Array.isArray(merges)) return fail('model.merges is no list');
  return merges.map((merge: unknown) => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
    return isPair ? (pair as [string, string]) : fail(`${JSON.stringify(merge)} is no merge of two tokens`);
  });
}

/** llama.cpp joins first what scores higher: what is merged first. */
function scores({ tokens, types }: Vocabulary, merges: readonly [string, string][]): number[] {
  const rank = new Map<string, number>();
  merges.forEach(([left, right], i) => {
    const joined = left + right;
    if (!rank.has(joined)) rank.set(joined, i);
  });
  return tokens.map((token, id) => {
    if (types[id] !== tokenType.normal) return 0;
    return -(rank.get(token) ?? merges.length);
  });
}

/** Patterns of `Split` before byte-level BPE, as tokenizer.json spells them, and llama.cpp's names for them. */
const splitNames = new Map<string, string>([
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'llama-bpe',
  ],
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'qwen2',
  ],
  // Our own: the same in another spelling.
  [
    "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*|\\p{White_Space}*[\\r\\n]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
    'qwen2',
  ],
]);

/** llama.cpp's name for how text is cut before merges are made. */
function preTokenizerName(json: JsonObject, model: JsonObject, fail: Fail): string {
  const given = json['pre_tokenizer'];
  const steps = isRecord(given) ? (given['type'] === 'Sequence' ? (given['pretokenizers'] as unknown[]) : [given]) : [];
  const [first, second, ...rest] = steps.map((step) => (isRecord(step) ? step : {}));
  const isByteLevel = (step: JsonObject | undefined, regex: boolean): boolean =>
    step?.['type'] === 'ByteLevel' && step['add_prefix_space'] !== true && (step['use_regex'] ?? true) === regex;
  const name = ((): string | undefined => {
    if (rest.length > 0) return undefined;
    if (second === undefined) return isByteLevel(first, true) ? 'gpt-2' : undefined;
    if (first?.['type'] === 'Digits' && first['individual_digits'] === true && isByteLevel(second, true))
      return 'smollm';
    const pattern = isRecord(first?.['pattern']) ? first['pattern']['Regex'] : undefined;
    const isSplit = first?.['type'] === 'Split' && first['behavior'] === 'Isolated' && first['invert'] !== true;
    return isSplit && isByteLevel(second, false) ? splitNames.get(String(pattern)) : undefined;
  })();
  if (name === undefined)
    return fail(
      'its pre_tokenizer cuts text in a way that llama.cpp has no name for; known are those of GPT-2, SmolLM2, Llama 3, Qwen2 and our own',
    );
  // llama.cpp decides by the name whether words that are tokens are taken whole.
  if ((model['ignore_merges'] === true) !== (name === 'llama-bpe'))
    fail(`ignore_merges is ${model['ignore_merges'] === true}, which llama.cpp does not do for ${name}`);
  return name;
}

/** Text becomes ▁ for spaces, with one before it: what llama.cpp does for its model `llama`. */
function assertSentencePiece(json: JsonObject, fail: Fail): void {
  const spelled = JSON.stringify([json['normalizer'], json['pre_tokenizer']]);
  const isPlain =
    spelled.includes('"Prepend"') && spelled.includes('"Replace"')
      ? json['pre_tokenizer'] === null
      : spelled.includes('"Metaspace"');
  if (!isPlain) fail('its normalizer does not make ▁ of spaces as SentencePiece does, which llama.cpp would');
}

function chatTemplate(folder: string): string | undefined {
  const own = join(folder, 'chat_template.jinja');
  if (existsSync(own)) return readFileSync(own, 'utf8');
  const config = join(folder, 'tokenizer_config.json');
  const template = existsSync(config) ? readJsonObject(config)['chat_template'] : undefined;
  return typeof template === 'string' ? template : undefined;
}
