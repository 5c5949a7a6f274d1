/** A tokenizer in a folder, as Hugging Face lays it out; a model's weights may lie in the same folder. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import { idsOf } from './definition.ts';
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
  /** And the folder with further templates, each in a file with its name. */
  namedChatTemplates: 'additional_chat_templates',
};

/**
 * Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json, each of them whole or not at all;
 * transformers' PreTrainedTokenizerFast loads them. Chat templates that an earlier tokenizer left in files are removed.
 */
export function saveTokenizer(tokenizer: Tokenizer, folder: string): void {
  writeFileAtomic(join(folder, files.tokenizer), formatTokenizerJson(tokenizer.definition));
  writeFileAtomic(join(folder, files.config), formatTokenizerConfig(tokenizer));
  writeFileAtomic(join(folder, files.specialTokens), formatSpecialTokensMap(tokenizer));
  rmSync(join(folder, files.chatTemplate), { force: true });
  rmSync(join(folder, files.namedChatTemplates), { force: true, recursive: true });
}

/**
 * Reads a tokenizer, ours or another's (GPT-2, Llama, Qwen, BERT, T5, …). Only tokenizer.json must be there. The files
 * may be hostile: errors name the file and the field, and `unimplemented` errors what is supported.
 */
export function loadTokenizer(folder: string): Tokenizer {
  const path = join(folder, files.tokenizer);
  const json = readJsonFile(path);
  if (json === undefined) throw new CrucibleError('not-found', `${path}: there is no such file`, { at: path });
  const definition = parseTokenizerJson(json);
  const settings = parseTokenizerConfig(
    readJsonFile(join(folder, files.config)),
    readJsonFile(join(folder, files.specialTokens)),
    idsOf(definition),
  );
  const chatTemplate = readTextFile(join(folder, files.chatTemplate)) ?? settings.chatTemplate;
  const named = { ...settings.namedChatTemplates, ...readNamedTemplates(join(folder, files.namedChatTemplates)) };
  return new Tokenizer(definition, {
    ...settings,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(Object.keys(named).length === 0 ? {} : { namedChatTemplates: named }),
  });
}

function readNamedTemplates(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const names = readdirSync(folder).filter((name) => name.endsWith('.jinja'));
  return Object.fromEntries(names.map((name) => [basename(name, '.jinja'), readTextFile(join(folder, name)) ?? '']));
}
