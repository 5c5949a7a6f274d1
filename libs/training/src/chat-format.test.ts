import { encodeChat, endOfTextToken, Tokenizer, trainBpe } from '@crucible/tokenizer';
import { expect, it } from 'vitest';
import { answerEnd, withChatFormat } from './chat-format.ts';

const own = await trainBpe(['User: Hi\nAssistant: Hello there, how are you?\n'.repeat(9)], { vocabSize: 290 });
/** As GPT-2's: it knows where a text ends and nothing of conversations. */
const bare = new Tokenizer(own.definition, { bosToken: endOfTextToken, eosToken: endOfTextToken });

const chat = [
  { role: 'system', content: 'Be kind.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
  { role: 'user', content: 'Bye' },
  { role: 'assistant', content: 'So long' },
] as const;

it('leaves a tokenizer its own format', () => {
  expect(withChatFormat(own, undefined)).toBe(own);
  expect(answerEnd(own)).toBe(own.eosId);
});

it('gives one that has none a plain one, in which every answer ends with the end of a text', () => {
  const tokenizer = withChatFormat(bare, undefined);
  const { ids, answerMask } = encodeChat(tokenizer, chat);
  expect(tokenizer.decode(ids)).toBe(
    `Be kind.\n\nUser: Hi\nAssistant: Hello${endOfTextToken}\nUser: Bye\nAssistant: So long${endOfTextToken}\n`,
  );
  expect(tokenizer.decode(ids.filter((_id, i) => answerMask[i]))).toBe(
    ` Hello${endOfTextToken} So long${endOfTextToken}`,
  );
  expect(answerEnd(tokenizer)).toBe(tokenizer.tokenToId(endOfTextToken));
});

it('begins with what the tokenizer puts before every text', () => {
  const tokenizer = withChatFormat(bare, endOfTextToken);
  expect(tokenizer.decode(encodeChat(tokenizer, chat).ids)).toMatch(/^<\|endoftext\|>Be kind/);
});

it('ends answers with the token that a chat template has there, though a text ends with another', () => {
  const template = "{% for m in messages %}{{ m['content'] + '<|end|>' }}{% endfor %}";
  const tokenizer = bare.withSettings({ chatTemplate: template });
  expect(tokenizer.eosId).toBe(tokenizer.tokenToId(endOfTextToken));
  expect(answerEnd(tokenizer)).toBe(tokenizer.tokenToId('<|end|>'));
});

it('is the end of a text where there is no format', () => {
  expect(answerEnd(bare)).toBe(bare.eosId);
});
