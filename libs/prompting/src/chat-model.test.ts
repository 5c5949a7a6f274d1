import { describe, expect, it } from 'vitest';
import { type ChatMessage, type ChatModel, countPromptTokens } from './chat-model.ts';
import { scriptedModel } from './testing/index.ts';

describe('countPromptTokens()', () => {
  const messages: ChatMessage[] = [{ role: 'user', content: 'é'.repeat(30) }];
  const counted = (more: Partial<ChatModel>): number => countPromptTokens({ ...scriptedModel([]), ...more }, messages);

  it('goes by bytes, and by how many of them a token of the model has', () => {
    expect(counted({}) - counted({ bytesPerToken: 6 })).toBe(20 - 10);
    expect(counted({ bytesPerToken: 2 }) - counted({})).toBe(30 - 20);
  });

  it('asks a model that can count', () => {
    expect(counted({ bytesPerToken: 2, countTokens: () => 7 })).toBe(7);
  });
});
