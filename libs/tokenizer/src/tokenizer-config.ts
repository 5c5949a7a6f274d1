/** The settings as transformers keeps them: tokenizer_config.json and, on reading, special_tokens_map.json. */
import { addedTokenFields } from './added-tokens.ts';
import type { JsonField } from './json-field.ts';
import { tokenSettings, type TokenizerSettings } from './settings.ts';
import type { Tokenizer } from './tokenizer.ts';

type TokenSetting = (typeof tokenSettings)[number];

const fieldNames: Readonly<Record<TokenSetting, string>> = {
  bosToken: 'bos_token',
  eosToken: 'eos_token',
  padToken: 'pad_token',
  unkToken: 'unk_token',
  clsToken: 'cls_token',
  sepToken: 'sep_token',
  maskToken: 'mask_token',
};

/**
 * Reads the settings. `specialTokensMap`, which older models have, fills in what `config` does not name. `ids` has the
 * tokens of tokenizer.json.
 */
export function parseTokenizerConfig(
  config: JsonField | undefined,
  specialTokensMap: JsonField | undefined,
  ids: ReadonlyMap<string, number>,
): TokenizerSettings {
  if (config) assertSameAddedTokens(config.get('added_tokens_decoder'), ids);
  const tokens: Partial<Record<TokenSetting, string>> = {};
  for (const setting of tokenSettings) {
    const fields = [config, specialTokensMap].map((file) => file?.get(fieldNames[setting]));
    const field = fields.find((each) => each !== undefined && !each.isAbsent);
    if (field !== undefined) tokens[setting] = parseToken(field, ids);
  }
  const templates = config === undefined ? {} : parseChatTemplates(config.get('chat_template'));
  const modelMaxLength = config && parseModelMaxLength(config.get('model_max_length'));
  return {
    ...tokens,
    ...templates,
    ...(modelMaxLength === undefined ? {} : { modelMaxLength }),
  };
}

export function formatTokenizerConfig(tokenizer: Tokenizer): string {
  const { settings, definition } = tokenizer;
  const byId = definition.addedTokens.map((token) => [token.id, addedTokenFields(token)] as const);
  return formatJson({
    added_tokens_decoder: Object.fromEntries(byId),
    ...namedTokens(settings),
    additional_special_tokens: unnamedSpecialTokens(tokenizer),
    chat_template: formatChatTemplates(settings),
    clean_up_tokenization_spaces: false,
    model_max_length: settings.modelMaxLength,
    tokenizer_class: 'PreTrainedTokenizerFast',
  });
}

export function formatSpecialTokensMap(tokenizer: Tokenizer): string {
  return formatJson({
    ...namedTokens(tokenizer.settings),
    additional_special_tokens: unnamedSpecialTokens(tokenizer),
  });
}

function namedTokens(settings: TokenizerSettings): Record<string, string | undefined> {
  return Object.fromEntries(tokenSettings.map((setting) => [fieldNames[setting], settings[setting]]));
}

function unnamedSpecialTokens({ settings, specialTokens }: Tokenizer): string[] {
  const named = tokenSettings.map((setting) => settings[setting]);
  return [...specialTokens.keys()].filter((token) => !named.includes(token));
}

function formatJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A token is a string, or an object that says how it is matched (which tokenizer.json says too). */
function parseToken(field: JsonField, ids: ReadonlyMap<string, number>): string {
  const content = typeof field.value === 'object' ? field.get('content') : field;
  const token = content.string();
  if (!ids.has(token)) {
    throw content.error(`${JSON.stringify(token)} is not a token of tokenizer.json`);
  }
  return token;
}

/** A template is a string; several have names, and the one without is called default. */
function parseChatTemplates(field: JsonField): Pick<TokenizerSettings, 'chatTemplate' | 'namedChatTemplates'> {
  if (field.isAbsent) return {};
  if (!Array.isArray(field.value)) return { chatTemplate: field.string() };
  const all = new Map(field.items().map((item) => [item.get('name').string(), item.get('template').string()]));
  const chatTemplate = all.get('default');
  all.delete('default');
  return {
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(all.size === 0 ? {} : { namedChatTemplates: Object.fromEntries(all) }),
  };
}

function formatChatTemplates({ chatTemplate, namedChatTemplates }: TokenizerSettings): unknown {
  if (namedChatTemplates === undefined) return chatTemplate;
  const all = { ...(chatTemplate === undefined ? {} : { default: chatTemplate }), ...namedChatTemplates };
  return Object.entries(all).map(([name, template]) => ({ name, template }));
}

/** Transformers writes 10^30 where it knows of no limit. */
function parseModelMaxLength(field: JsonField): number | undefined {
  if (field.isAbsent || (typeof field.value === 'number' && field.value > Number.MAX_SAFE_INTEGER)) return undefined;
  const length = field.index(Number.MAX_SAFE_INTEGER);
  if (length === 0) throw field.error('0 is not a length');
  return length;
}

function assertSameAddedTokens(field: JsonField, ids: ReadonlyMap<string, number>): void {
  if (field.isAbsent) return;
  for (const [id, entry] of field.entries()) {
    const content = entry.get('content').string();
    if (String(ids.get(content)) !== id) {
      throw entry.error(`${JSON.stringify(content)} does not have this id in tokenizer.json`);
    }
  }
}
