/** The special tokens of our own models, and the chat format made of them. */
import type { TokenizerSettings } from './settings.ts';

export const endOfTextToken = '<|endoftext|>';
export const padToken = '<|pad|>';
export const systemToken = '<|system|>';
export const userToken = '<|user|>';
export const assistantToken = '<|assistant|>';
export const toolToken = '<|tool|>';
export const endToken = '<|end|>';

/** In the order of their ids, from 0. */
export const ownSpecialTokens: readonly string[] = [
  /** Between documents, and at the beginning of a text. */
  endOfTextToken,
  padToken,
  systemToken,
  userToken,
  assistantToken,
  toolToken,
  /** Ends every message; generation stops at it. */
  endToken,
];

/** Role, content, end; no white space in between and no beginning-of-text token: small models have no tokens to spare. */
export const ownChatTemplate = [
  '{% for message in messages %}',
  "{% if message['role'] not in ['system', 'user', 'assistant', 'tool'] %}",
  "{{ raise_exception('unknown role ' + message['role']) }}",
  '{% endif %}',
  "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}",
  '{% endfor %}',
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
].join('');

export const ownSettings: TokenizerSettings = {
  bosToken: endOfTextToken,
  eosToken: endToken,
  padToken,
  chatTemplate: ownChatTemplate,
};
