/** How conversations are written for a model, and what ends an answer: its tokenizer's chat template says so. */
import { encodeChat, type Tokenizer } from '@crucible/tokenizer';

/**
 * For models that have learned no conversations yet, and whose tokenizer has no format for them: ordinary words, which
 * such models know, and the end of a text after each answer.
 */
function plainTemplate(begin: string): string {
  return [
    begin,
    '{% for message in messages %}',
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}",
    "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n' }}",
    "{% elif message['role'] == 'tool' %}{{ 'Tool: ' + message['content'] + '\\n' }}",
    "{% else %}{{ 'Assistant: ' + message['content'] + eos_token + '\\n' }}{% endif %}",
    '{% endfor %}',
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
  ].join('');
}

/** The tokenizer with a format for conversations: its own, or a plain one. `first` is what it puts before every text. */
export function withChatFormat(tokenizer: Tokenizer, first: string | undefined): Tokenizer {
  const { chatTemplate, bosToken } = tokenizer.settings;
  if (chatTemplate !== undefined) return tokenizer;
  const begin = first !== undefined && first === bosToken ? '{{ bos_token }}' : '';
  return tokenizer.withSettings({ chatTemplate: plainTemplate(begin) });
}

const ends = new WeakMap<Tokenizer, number>();

/**
 * The token that ends an answer: the special one that the chat template has after it, or else the end of a text. They
 * differ where a model was made from one that had learned texts alone.
 */
export function answerEnd(tokenizer: Tokenizer): number {
  let end = ends.get(tokenizer);
  if (end === undefined) ends.set(tokenizer, (end = closingToken(tokenizer) ?? tokenizer.eosId ?? 0));
  return end;
}

function closingToken(tokenizer: Tokenizer): number | undefined {
  if (tokenizer.settings.chatTemplate === undefined) return undefined;
  const { ids, answerMask } = encodeChat(tokenizer, [
    { role: 'user', content: 'A' },
    { role: 'assistant', content: 'B' },
  ]);
  const last = ids[answerMask.lastIndexOf(true)];
  return [...tokenizer.specialTokens.values()].find((id) => id === last);
}
