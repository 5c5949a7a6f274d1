/** A tokenizer in a folder, as Hugging Face lays it out; a model's weights may lie in the same folder. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import { tokensOf } from './definition.ts';
import { readJsonFile, readTextFile } from './json-field.ts';
import { formatSpecialTokensMap, formatTokenizerConfig, parseTokenizerConfig } from './tokenizer-config.ts';
import { formatTokenizerJson, parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';

const files = {
  tokenizer: 'tokenizer.json',
  config: 'tokenizer_config.json',
  specialTokens: 'special_tokens_map.json',
  /** Where newer versions of transformers keep the chat template; it goes before the one in the config. */
  chatTemplate: 'chat_template.jinja',
};

/**
 * Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json, each of them whole or not at all;
 * transformers' PreTrainedTokenizerFast loads them. A chat_template.jinja left by an earlier tokenizer is removed.
 */
export function saveTokenizer(tokenizer: Tokenizer, folder: string): void {
  writeFileAtomic(join(folder, files.tokenizer), formatTokenizerJson(tokenizer.definition));
  writeFileAtomic(join(folder, files.config), formatTokenizerConfig(tokenizer));
  writeFileAtomic(join(folder, files.specialTokens), formatSpecialTokensMap(tokenizer));
  rmSync(join(folder, files.chatTemplate), { force: true });
}

/**
 * Reads a byte-level BPE tokenizer, ours or another's (GPT-2, Llama 3, Qwen 2, …). Only tokenizer.json must be there.
 * The files may be hostile: errors name the file and the field, and `unimplemented` errors what is supported. Two
 * things are taken on trust: the regular expressions, and the chat template as far as ChatTemplate does not guard it.
 */
export function loadTokenizer(folder: string): Tokenizer {
  const path = join(folder, files.tokenizer);
  const json = readJsonFile(path);
  if (json === undefined) throw new CrucibleError('not-found', `${path}: there is no such file`, { at: path });
  const definition = parseTokenizerJson(json);
  const settings = parseTokenizerConfig(
    readJsonFile(join(folder, files.config)),
    readJsonFile(join(folder, files.specialTokens)),
    new Map(tokensOf(definition).map((token, id) => [token, id])),
  );
  const chatTemplate = readTextFile(join(folder, files.chatTemplate));
  return new Tokenizer(definition, { ...settings, ...(chatTemplate === undefined ? {} : { chatTemplate }) });
}
