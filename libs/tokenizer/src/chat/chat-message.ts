import { invalidInput } from '@crucible/foundation';

/** Who may speak in a conversation. */
export const chatRoles = ['system', 'user', 'assistant', 'tool'] as const;

export type ChatRole = (typeof chatRoles)[number];

/** `content` is plain text, also where it looks like special tokens. */
export interface ChatMessage {
  readonly role: ChatRole;
  readonly content: string;
  /**
   * What else a template may read of the message, by the names that transformers has for it: `tool_calls`, `name`,
   * `tool_call_id`, `reasoning_content`. Plain data; texts in it are as plain as the content.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Throws unless there are messages and each has a known role and a text. */
export function assertChatMessages(messages: readonly ChatMessage[]): void {
  if (messages.length === 0) throw invalidInput('messages: there are none', { at: 'messages' });
  for (const [i, { role, content }] of messages.entries()) {
    if (!chatRoles.includes(role)) {
      const at = `messages[${i}].role`;
      throw invalidInput(`${at}: ${JSON.stringify(role)} is not a role; roles are ${chatRoles.join(', ')}`, { at });
    }
    if (typeof content !== 'string') {
      const at = `messages[${i}].content`;
      throw invalidInput(`${at}: is not a text`, { at });
    }
  }
}
