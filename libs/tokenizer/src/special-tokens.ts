/** The special tokens of our own models, and the chat format made of them. */
import type { TokenizerSettings } from './settings.ts';

/** Stands between documents, and at the beginning of a text. */
export const endOfTextToken = '<|endoftext|>';
/** Fills up batches, and has no other meaning. */
export const padToken = '<|pad|>';
/** Begins a message of the system. */
export const systemToken = '<|system|>';
/** Begins a message of the user. */
export const userToken = '<|user|>';
/** Begins an answer. */
export const assistantToken = '<|assistant|>';
/** Begins what a tool has answered. */
export const toolToken = '<|tool|>';
/** Ends every message; generation stops at it. */
export const endToken = '<|end|>';

/** All of them, in the order of their ids, from 0. */
export const ownSpecialTokens: readonly string[] = [
  endOfTextToken,
  padToken,
  systemToken,
  userToken,
  assistantToken,
  toolToken,
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

/** What `trainBpe` gives a tokenizer of ours. */
export const ownSettings: TokenizerSettings = {
  bosToken: endOfTextToken,
  eosToken: endToken,
  padToken,
  chatTemplate: ownChatTemplate,
};
