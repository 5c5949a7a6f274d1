import { invalidInput } from '@crucible/foundation';

/** What a model's users need to know beyond the vocabulary; kept in tokenizer_config.json. Nothing has a default. */
export interface TokenizerSettings {
  /** Begins a text. */
  readonly bosToken?: string;
  /** Ends what a model generates. */
  readonly eosToken?: string;
  /** Fills up batches. */
  readonly padToken?: string;
  /** Stands for what the vocabulary lacks; byte-level models never yield it. */
  readonly unkToken?: string;
  /** Stands in front of a text whose meaning an encoder is asked for. */
  readonly clsToken?: string;
  /** Ends each text of a pair. */
  readonly sepToken?: string;
  /** Stands for what a model has to guess. */
  readonly maskToken?: string;
  /** A Jinja template, as `apply_chat_template` of transformers takes it. */
  readonly chatTemplate?: string;
  /** Further templates by name, such as `tool_use`. */
  readonly namedChatTemplates?: Readonly<Record<string, string>>;
  /** The longest sequence that the model can read, in tokens. */
  readonly modelMaxLength?: number;
}

/** The settings that name a token. */
export const tokenSettings = [
  'bosToken',
  'eosToken',
  'padToken',
  'unkToken',
  'clsToken',
  'sepToken',
  'maskToken',
] as const;

/** Throws unless the settings are possible for a tokenizer that has the tokens of which `hasToken` says so. */
export function assertSettings(settings: TokenizerSettings, hasToken: (token: string) => boolean): void {
  for (const name of tokenSettings) {
    const token = settings[name];
    if (token !== undefined && !hasToken(token)) {
      throw invalidInput(`${name}: ${JSON.stringify(token)} is not a token of this tokenizer`, { at: name });
    }
  }
  const { modelMaxLength } = settings;
  if (modelMaxLength !== undefined && !(Number.isSafeInteger(modelMaxLength) && modelMaxLength > 0)) {
    throw invalidInput(`modelMaxLength: ${modelMaxLength} is not a whole number above 0`, { at: 'modelMaxLength' });
  }
}
