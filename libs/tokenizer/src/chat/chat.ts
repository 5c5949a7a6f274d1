/** Conversations to token ids, by the tokenizer's own chat template. */
import type { Tokenizer } from '../tokenizer.ts';
import type { ChatMessage } from './chat-message.ts';
import { chatTemplateError, ChatRendering, type ChatTemplateOptions } from './chat-rendering.ts';

export interface ApplyChatTemplateOptions extends ChatTemplateOptions {
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
  { addGenerationPrompt = false, ...options }: ApplyChatTemplateOptions = {},
): number[] {
  const chat = new ChatRendering(tokenizer, messages, options);
  return chat.encode(chat.render(chat.messages, addGenerationPrompt)).flat();
}

/**
 * A conversation to learn the answers of. The ids are those of `applyChatTemplate`, except that text is cut into tokens
 * anew where an answer begins and ends: no token is half prompt, half answer, and the ids before the first answer are
 * exactly those of the prompt for it. (With our own template, special tokens stand there and nothing differs.)
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): EncodedChat {
  const chat = new ChatRendering(tokenizer, messages, options);
  const rendered = chat.render(chat.messages, false);
  // The ends of prompts and answers, in turn.
  const cuts: number[] = [];
  for (const [i, { role }] of chat.messages.entries()) {
    if (role !== 'assistant') continue;
    const answer = answerSpan(chat, rendered, i);
    if (answer.start < (cuts.at(-1) ?? 0)) {
      throw chatTemplateError(`does not render messages[${i}] after the answers before it`);
    }
    cuts.push(answer.start, answer.end);
  }
  const parts = chat.encode(rendered, cuts);
  return { ids: parts.flat(), answerMask: parts.flatMap((ids, i) => ids.map(() => i % 2 === 1)) };
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
