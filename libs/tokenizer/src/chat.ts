/** Conversations to token ids, by the tokenizer's own chat template. */
import type { ChatMessage } from './chat-message.ts';
import { chatTemplateError, ChatRendering } from './chat-rendering.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ApplyChatTemplateOptions {
  /** End with what begins an answer of the assistant. Default: false. */
  readonly addGenerationPrompt?: boolean;
}

export interface EncodedChat {
  readonly ids: number[];
  /** For every id, whether it is a part of an answer: the content of an assistant's message, or the token that ends it. */
  readonly answerMask: boolean[];
}

/**
 * The ids that transformers' `apply_chat_template` gives, except that nothing in a message's content can become a
 * special token: there it is plain text. (A template that rewrites contents, say by a filter that lowers case, may
 * still make a special token of them; a content that it cuts in pieces is an error.)
 */
export function applyChatTemplate(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = false }: ApplyChatTemplateOptions = {},
): number[] {
  const chat = new ChatRendering(tokenizer, messages);
  return chat.encode(chat.render(chat.messages, addGenerationPrompt));
}

/**
 * A conversation to learn the answers of. The ids are those of `applyChatTemplate`, except that text is cut into tokens
 * anew where an answer begins and ends: no token is half prompt, half answer, and the ids before the first answer are
 * exactly those of the prompt for it. (With our own template, special tokens stand there and nothing differs.)
 */
export function encodeChat(tokenizer: Tokenizer, messages: readonly ChatMessage[]): EncodedChat {
  const chat = new ChatRendering(tokenizer, messages);
  const rendered = chat.render(chat.messages, false);
  const ids: number[] = [];
  const answerMask: boolean[] = [];
  let done = 0;
  const append = (end: number, isAnswer: boolean): void => {
    for (const id of chat.encode(rendered.slice(done, end))) {
      ids.push(id);
      answerMask.push(isAnswer);
    }
    done = end;
  };
  for (const [i, { role }] of chat.messages.entries()) {
    if (role !== 'assistant') continue;
    const answer = answerSpan(chat, rendered, i);
    if (answer.start < done) throw chatTemplateError(`does not render messages[${i}] after the answers before it`);
    append(answer.start, false);
    append(answer.end, true);
  }
  append(rendered.length, false);
  return { ids, answerMask };
}

/**
 * Where the answer `messages[index]` is in `rendered`: it begins where a prompt for it ends, and ends where what
 * follows does not depend on it, or with the special token that comes next there.
 */
function answerSpan(chat: ChatRendering, rendered: string, index: number): { start: number; end: number } {
  const { messages, foreignContent } = chat;
  const prompt = chat.render(messages.slice(0, index), true);
  if (!rendered.startsWith(prompt)) {
    throw chatTemplateError(`renders the prompt for messages[${index}] differently when the answer is there`);
  }
  const otherAnswer: ChatMessage = { role: 'assistant', content: foreignContent };
  const other = chat.render(messages.with(index, otherAnswer), false);
  const place = other.lastIndexOf(foreignContent);
  const rest = other.slice(place + foreignContent.length);
  const end = rendered.length - rest.length;
  if (place < 0 || end < prompt.length || !rendered.endsWith(rest)) {
    throw chatTemplateError(`does not render the content of messages[${index}] in one place`);
  }
  return { start: prompt.length, end: end + chat.closingLength(rest) };
}
