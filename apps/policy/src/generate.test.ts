import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FinishReason } from '@crucible/protos/policy/v1';
import {
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceLogProbabilities,
  tinyLlama,
} from '@crucible/testing';
import { endTokenId, type PolicyForTest, startPolicy } from './testing/start-policy.ts';

let policy: PolicyForTest;
beforeAll(async () => {
  policy = await startPolicy(async (add) => {
    await add('chat', 1);
    await add('other', 2);
  });
});
afterAll(() => policy[Symbol.asyncDispose]());

const weights = tinyLlama(1);
const promptTokenIds = [5, 9, 2, 17];
/** No token of the vocabulary: nothing stops the answer but its length. */
const endless = { stopTokenIds: [1000] };

/** The likeliest tokens after one another, by the reference. */
function greedy(prompt: readonly number[], count: number): number[] {
  const ids = [...prompt];
  for (let i = 0; i < count; i++) {
    const logits = referenceLogits(weights, ids).at(-1)!;
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}

describe('an answer', () => {
  test('is one start, chunks and one end, with the usage', async () => {
    const sampling = { ...endless, maxTokens: 12, seed: 3 };
    const answer = await policy.generate({ model: 'chat', promptTokenIds, sampling });
    expect(answer).toMatchObject({ model: 'chat', versions: [1], finish: FinishReason.LENGTH });
    expect(answer.tokens).toHaveLength(12);
    expect(answer.logprobs).toHaveLength(12);
    expect(answer.top).toEqual([]);
    expect(answer.usage).toEqual({ prompt: 4, completion: 12 });
  });

  test('at temperature 0 is the likeliest one', async () => {
    const sampling = { ...endless, maxTokens: 10, temperature: 0 };
    const answer = await policy.generate({ model: 'chat', promptTokenIds, sampling });
    expect(answer.tokens).toEqual(greedy(promptTokenIds, 10));
    expect(answer.logprobs).toBeAllClose(referenceAnswerLogProbabilities(weights, promptTokenIds, answer.tokens), {
      atol: 1e-4,
    });
  });

  test.each([{ topK: 1 }, { topP: 0.001 }])('with %o is the likeliest one too', async (cut) => {
    const sampling = { ...endless, ...cut, maxTokens: 10 };
    const { tokens } = await policy.generate({ model: 'chat', promptTokenIds, sampling });
    expect(tokens).toEqual(greedy(promptTokenIds, 10));
  });

  test.each([1, 0.5, 2])('at temperature %f has the log-probabilities that the model gives it', async (temperature) => {
    const sampling = { ...endless, maxTokens: 20, temperature, seed: 4 };
    const { tokens, logprobs } = await policy.generate({ model: 'chat', promptTokenIds, sampling });
    const expected = referenceAnswerLogProbabilities(weights, promptTokenIds, tokens, temperature);
    expect(logprobs).toBeAllClose(expected, { atol: 1e-4 });
  });

  test('comes with the likeliest tokens at every place when they are asked for', async () => {
    const sampling = { ...endless, maxTokens: 6, seed: 5 };
    const request = { model: 'chat', promptTokenIds, sampling };
    const { tokens, top } = await policy.generate({ ...request, topLogprobs: 3 });
    expect(tokens).toEqual((await policy.generate(request)).tokens);
    expect(top).toHaveLength(6);
    const logits = referenceLogits(weights, [...promptTokenIds, ...tokens]);
    for (const [t, { tokenIds, logprobs }] of top.entries()) {
      const all = referenceLogProbabilities(logits[promptTokenIds.length - 1 + t]!);
      const likeliest = [...all.keys()].sort((a, b) => all[b]! - all[a]!).slice(0, 3);
      expect(tokenIds).toEqual(likeliest);
      expect(logprobs).toBeAllClose(
        likeliest.map((id) => all[id]!),
        { atol: 1e-4 },
      );
    }
  });

  test('is the same for the same seed, also among others, and another one for another seed or none', async () => {
    const ask = async (seed?: number): Promise<string> => {
      const sampling = { ...endless, maxTokens: 24, ...(seed !== undefined && { seed }) };
      return (await policy.generate({ model: 'chat', promptTokenIds, sampling })).tokens.join();
    };
    const seven = await ask(7);
    const answers = await Promise.all([7, 8, 7, 9, 4_294_967_295, undefined, undefined].map(ask));
    expect([answers[0], answers[2]]).toEqual([seven, seven]);
    expect(new Set(answers).size).toBe(6);
  });

  test('ends with the end token of the model', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, seed) =>
        policy.generate({ model: 'chat', promptTokenIds, sampling: { seed, temperature: 2 } }),
      ),
    );
    const stopped = answers.filter(({ finish }) => finish === FinishReason.STOP);
    expect(stopped.length).toBeGreaterThan(0);
    for (const { tokens, usage, finish } of answers) {
      const end = tokens.indexOf(endTokenId);
      expect(end).toBe(finish === FinishReason.STOP ? tokens.length - 1 : -1);
      expect(usage.completion).toBe(tokens.length);
    }
  });

  test('ends with a stop token of the call, and then the end token of the model does not end it', async () => {
    const sampling = { ...endless, maxTokens: 60, temperature: 2, seed: 11 };
    const { tokens } = await policy.generate({ model: 'chat', promptTokenIds, sampling });
    const [stop, first] = [tokens[40]!, tokens.indexOf(tokens[40]!)];
    const stopped = await policy.generate({
      model: 'chat',
      promptTokenIds,
      sampling: { ...sampling, stopTokenIds: [1000, stop] },
    });
    expect(stopped.tokens).toEqual(tokens.slice(0, first + 1));
    expect(stopped.finish).toBe(FinishReason.STOP);
  });

  test('without max_tokens goes to the end of the context', async () => {
    const { tokens, finish } = await policy.generate({ model: 'chat', promptTokenIds, sampling: endless });
    expect(tokens).toHaveLength(96 - 4);
    expect(finish).toBe(FinishReason.LENGTH);
  });

  test('may be a single token after the longest prompt', async () => {
    const prompt = Array.from({ length: 95 }, (_, i) => i % 24);
    const sampling = { ...endless, temperature: 0 };
    const { tokens } = await policy.generate({ model: 'chat', promptTokenIds: prompt, sampling });
    expect(tokens).toEqual(greedy(prompt, 1));
  });

  test('comes from the model that is named, or from the one made last', async () => {
    const sampling = { maxTokens: 2 };
    for (const [model, answering] of [
      ['chat', 'chat'],
      ['other', 'other'],
      ['', 'other'],
    ] as const)
      expect(await policy.generate({ model, promptTokenIds, sampling })).toMatchObject({ model: answering });
  });
});

describe('a wrong request is refused:', () => {
  const long = Array.from({ length: 96 }, () => 2);
  test.each([
    ['no prompt', {}, 'prompt_token_ids', 'prompt_token_ids: at least one token is needed'],
    [
      'a token outside of the vocabulary',
      { promptTokenIds: [1, 24] },
      'prompt_token_ids',
      'prompt_token_ids: token 24 is outside of the vocabulary, whose ids go from 0 to 23',
    ],
    [
      'a prompt as long as the context',
      { promptTokenIds: long },
      'prompt_token_ids',
      'prompt_token_ids: 96 tokens leave no room for an answer in the context of 96',
    ],
    [
      'a prompt longer than the context',
      { promptTokenIds: [...long, ...long] },
      'prompt_token_ids',
      'prompt_token_ids: 192 tokens leave no room for an answer in the context of 96',
    ],
    [
      'more tokens than the context leaves',
      { promptTokenIds, sampling: { maxTokens: 93 } },
      'sampling.max_tokens',
      'max_tokens: 93 is more than the 92 that the context of 96 leaves after a prompt of 4 tokens',
    ],
    [
      'a temperature above 2',
      { promptTokenIds, sampling: { temperature: 2.5 } },
      'sampling.temperature',
      'sampling.temperature: 2.5 is not from 0 to 2',
    ],
    [
      'a temperature that is no number',
      { promptTokenIds, sampling: { temperature: NaN } },
      'sampling.temperature',
      'sampling.temperature: NaN is not from 0 to 2',
    ],
    [
      'a top_p of 0',
      { promptTokenIds, sampling: { topP: 0 } },
      'sampling.top_p',
      'sampling.top_p: 0 is not above 0 and at most 1',
    ],
    [
      'a top_p above 1',
      { promptTokenIds, sampling: { topP: 1.5 } },
      'sampling.top_p',
      'sampling.top_p: 1.5 is not above 0 and at most 1',
    ],
    [
      'too many alternatives',
      { promptTokenIds, topLogprobs: 21 },
      'top_logprobs',
      'top_logprobs: 21 is not from 0 to 20',
    ],
    [
      'too many stop tokens',
      { promptTokenIds, sampling: { stopTokenIds: Array.from({ length: 65 }, (_, i) => i) } },
      'sampling.stop_token_ids',
      'stop_token_ids: 65 are given, at most 64 are allowed',
    ],
    [
      'a name of the request that is too long',
      { promptTokenIds, requestId: 'x'.repeat(129) },
      'request_id',
      'request_id: it is 129 characters long, at most 128 are allowed',
    ],
  ])('%s', async (_what, request, at, message) => {
    const answer = policy.generate({ model: 'chat', ...request });
    await expect(answer).rejects.toMatchObject({ code: 'invalid-input', at, message });
  });

  test('an unknown model, with the known ones', async () => {
    const answer = policy.generate({ model: 'gpt', promptTokenIds });
    await expect(answer).rejects.toMatchObject({
      code: 'not-found',
      at: 'model',
      message: 'model gpt is not served; served are chat, other',
    });
  });
});
