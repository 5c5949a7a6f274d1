import { expect, it } from 'vitest';
import { ownChatTemplate, ownSettings, ownSpecialTokens } from './special-tokens.ts';

// Saved models depend on these: ids are places in the list.
it('the special tokens of our models stay what they are', () => {
  expect(ownSpecialTokens).toEqual([
    '<|endoftext|>',
    '<|pad|>',
    '<|system|>',
    '<|user|>',
    '<|assistant|>',
    '<|tool|>',
    '<|end|>',
  ]);
  expect(ownSettings).toEqual({
    bosToken: '<|endoftext|>',
    eosToken: '<|end|>',
    padToken: '<|pad|>',
    chatTemplate: ownChatTemplate,
  });
});
