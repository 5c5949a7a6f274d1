import { tinyLlamaConfig } from '@crucible/testing';
import { expect, it } from 'vitest';
import { type GenerationRequest, resolveRequest } from './generation.ts';

it('has defaults: as many tokens as the context leaves, no stop token, no alternatives', () => {
  const prompt = [1, 2, 3];
  const { sampling, ...rest } = resolveRequest({ prompt, sampling: { seed: 4 } }, tinyLlamaConfig);
  expect(rest).toEqual({ prompt, maxTokens: 93, stopTokens: new Set(), alternatives: 0, signal: undefined });
  expect(sampling).toEqual({ temperature: 1, topK: 0, topP: 1, seed: 4 });
});

const tooLong = new Array<number>(96).fill(1);

it.each<[string, GenerationRequest, string, string]>([
  ['an empty prompt', { prompt: [] }, 'prompt is empty; at least one token is needed', 'prompt'],
  [
    'a prompt as long as the context',
    { prompt: tooLong },
    'prompt has 96 tokens; the context of 96 must hold it and at least one more',
    'prompt',
  ],
  ['an unknown token', { prompt: [0, 24] }, 'prompt holds token 24; ids go from 0 to 23', 'prompt'],
  ['half a token', { prompt: [0.5] }, 'prompt holds token 0.5; ids go from 0 to 23', 'prompt'],
  [
    'more tokens than fit',
    { prompt: [1, 2], maxTokens: 95 },
    'max_tokens is 95; it must be a whole number from 1 to 94, which the context of 96 leaves after a prompt of 2 tokens',
    'max_tokens',
  ],
  [
    'no token at all',
    { prompt: [1], maxTokens: 0 },
    'max_tokens is 0; it must be a whole number from 1 to 95, which the context of 96 leaves after a prompt of 1 tokens',
    'max_tokens',
  ],
  [
    'more alternatives than tokens',
    { prompt: [1], alternatives: 25 },
    'top_logprobs is 25; it must be a whole number from 0 to 24',
    'top_logprobs',
  ],
])('refuses %s', (_name, request, message, at) => {
  expect(() => resolveRequest(request, tinyLlamaConfig)).toThrow(
    expect.objectContaining({ code: 'invalid-input', message, at }) as Error,
  );
});
