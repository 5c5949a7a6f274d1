import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceLogProbabilities,
  tinyLlama,
} from '@crucible/testing';
import { type PolicyForTest, startPolicy } from './testing/start-policy.ts';

let policy: PolicyForTest;
beforeAll(async () => {
  policy = await startPolicy((add) => add('chat', 1));
});
afterAll(() => policy[Symbol.asyncDispose]());

const weights = tinyLlama(1);

/** Sequences of many lengths, more than one pass of the engine takes. */
const sequences = Array.from({ length: 70 }, (_, i) => ({
  promptTokenIds: Array.from({ length: 1 + (i % 30) }, (_, t) => (i * 7 + t * 5) % 24),
  completionTokenIds: Array.from({ length: 1 + ((i * 3) % 40) }, (_, t) => (i + t * 11) % 24),
}));

describe('scores', () => {
  test.each([1, 0.6])('at temperature %f are what the model gives the tokens', async (temperature) => {
    const { scores, version } = await policy.client.score({ sequences, temperature });
    expect(version).toBe(1);
    expect(scores).toHaveLength(70);
    // The reference takes its time: a look here and there, beyond the first pass too.
    for (const i of [0, 13, 31, 32, 69]) {
      const { promptTokenIds, completionTokenIds } = sequences[i]!;
      const expected = referenceAnswerLogProbabilities(weights, promptTokenIds, completionTokenIds, temperature);
      expect(scores[i]!.logprobs).toBeAllClose(expected, { atol: 1e-4 });
      expect(scores[i]!.topLogprobs).toEqual([]);
    }
  });

  test('are the numbers that the answer came with', async () => {
    const promptTokenIds = [3, 1, 4];
    const sampling = { maxTokens: 30, seed: 1, temperature: 0.8, stopTokenIds: [1000] };
    const { tokens, logprobs } = await policy.generate({ promptTokenIds, sampling });
    const { scores } = await policy.client.score({
      sequences: [{ promptTokenIds, completionTokenIds: [...tokens] }],
      temperature: 0.8,
    });
    expect(scores[0]!.logprobs).toBeAllClose(logprobs, { atol: 1e-4 });
  });

  test('come with the likeliest tokens when they are asked for', async () => {
    const [promptTokenIds, completionTokenIds] = [
      [8, 8],
      [2, 5, 7],
    ];
    const { scores } = await policy.client.score({
      sequences: [{ promptTokenIds, completionTokenIds }],
      temperature: 0.5,
      topLogprobs: 2,
    });
    const logits = referenceLogits(weights, [...promptTokenIds, ...completionTokenIds]);
    expect(scores[0]!.topLogprobs).toHaveLength(3);
    for (const [t, { tokenIds, logprobs }] of scores[0]!.topLogprobs.entries()) {
      const all = referenceLogProbabilities(logits[1 + t]!, 0.5);
      const likeliest = [...all.keys()].sort((a, b) => all[b]! - all[a]!).slice(0, 2);
      expect(tokenIds).toEqual(likeliest);
      expect(logprobs).toBeAllClose(
        likeliest.map((id) => all[id]!),
        { atol: 1e-4 },
      );
    }
  });

  test('of many calls at once, of many shapes, do not disturb each other', async () => {
    const asked = await Promise.all(sequences.slice(0, 16).map((one) => policy.client.score({ sequences: [one] })));
    const together = await policy.client.score({ sequences });
    for (const [i, { scores }] of asked.entries())
      expect(scores[0]!.logprobs).toBeAllClose(together.scores[i]!.logprobs, { atol: 1e-4 });
  });
});

describe('a wrong request is refused:', () => {
  const one = { promptTokenIds: [1], completionTokenIds: [2] };
  test.each([
    ['no sequences', { sequences: [] }, 'sequences', 'sequences: 0 are given; 1 to 1024 are allowed'],
    [
      'too many sequences',
      { sequences: Array.from({ length: 1025 }, () => one) },
      'sequences',
      'sequences: 1025 are given; 1 to 1024 are allowed',
    ],
    [
      'a sequence without a prompt',
      { sequences: [one, { completionTokenIds: [2] }] },
      'sequences[1].prompt_token_ids',
      'sequences[1].prompt_token_ids: at least one token is needed',
    ],
    [
      'a sequence without a completion',
      { sequences: [{ promptTokenIds: [2] }] },
      'sequences[0].completion_token_ids',
      'sequences[0].completion_token_ids: at least one token is needed',
    ],
    [
      'a token outside of the vocabulary',
      { sequences: [one, one, { promptTokenIds: [2], completionTokenIds: [4_000_000_000] }] },
      'sequences[2].completion_token_ids',
      'sequences[2].completion_token_ids: token 4000000000 is outside of the vocabulary, whose ids go from 0 to 23',
    ],
    [
      'a sequence longer than the context',
      {
        sequences: [{ promptTokenIds: Array.from({ length: 90 }, () => 2), completionTokenIds: [1, 2, 3, 4, 5, 6, 7] }],
      },
      'sequences[0]',
      'sequences[0]: 97 tokens are more than the context of 96',
    ],
    [
      'temperature 0',
      { sequences: [one], temperature: 0 },
      'temperature',
      'temperature: 0 is not above 0 and at most 2',
    ],
    [
      'too many alternatives',
      { sequences: [one], topLogprobs: 21 },
      'top_logprobs',
      'top_logprobs: 21 is not from 0 to 20',
    ],
  ])('%s', async (_what, request, at, message) => {
    await expect(policy.client.score(request)).rejects.toMatchObject({ code: 'invalid-input', at, message });
  });
});
