/** Messages of a chat, on the wire and here. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ChatMessage, ToolCall } from '@crucible/prompting';
import { type Message, type MessageSchema, Role, type ToolCall as WireToolCall } from '@crucible/protos/actor/v1';
import { enumPairs } from './enum-pairs.ts';

const roles = enumPairs<ChatMessage['role'], Role>({
  system: Role.SYSTEM,
  user: Role.USER,
  assistant: Role.ASSISTANT,
  tool: Role.TOOL,
});

export function messageFromChat(message: ChatMessage): MessageInitShape<typeof MessageSchema> {
  const { role, content } = message;
  return {
    role: roles.wire(role),
    content,
    ...(role === 'assistant' && message.toolCalls && { toolCalls: [...message.toolCalls] }),
    ...(role === 'tool' && message.callId !== undefined && { callId: message.callId }),
  };
}

export function chatFromMessage({ role: wire, content, toolCalls, callId }: Message, at: string): ChatMessage {
  const role = roles.name(wire, `${at}.role`);
  switch (role) {
    case 'assistant':
      return { role, content, ...(toolCalls.length > 0 && { toolCalls: toolCalls.map(plainToolCall) }) };
    case 'tool':
      return { role, content, ...(callId !== undefined && { callId }) };
    default:
      return { role, content };
  }
}

/** Without the fields that are protobuf's own. */
export function plainToolCall({ id, name, arguments: given }: WireToolCall): ToolCall {
  return { id, name, arguments: given };
}
