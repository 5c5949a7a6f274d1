import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  chiSquare,
  chiSquareLimit,
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceLogProbabilities,
  type TinyLlama,
  tinyLlama,
  tinyLlamaConfig,
} from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GenerationEngine, type GenerationEngineOptions, type GenerationStream } from './generation-engine.ts';
import type { GenerationRequest } from './generation.ts';

const weights = tinyLlama(1);

function engineWith(model: TinyLlama | undefined = weights, options: GenerationEngineOptions = {}): GenerationEngine {
  const engine = new GenerationEngine({ threads: 1, ...options });
  onTestFinished(() => engine.dispose());
  engine.setModel({ weights: model, config: tinyLlamaConfig, version: 1 });
  return engine;
}

async function idsOf({ tokens }: GenerationStream): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of tokens) ids.push(id);
  return ids;
}

async function firstOf({ tokens }: GenerationStream): Promise<number> {
  for await (const { id } of tokens) return id;
  throw new Error('there is no token');
}

/**
 * Expects `count` greedy tokens: each is the most probable one after those before it, by one full pass over all of them,
 * without any cache.
 */
function expectGreedy(ids: readonly number[], model: TinyLlama, prompt: readonly number[], count: number): void {
  const logits = referenceLogits(model, [...prompt, ...ids]);
  expect(ids).toEqual(ids.map((_, t) => mostProbable(logits[prompt.length - 1 + t]!)));
  expect(ids).toHaveLength(count);
}

function mostProbable(logits: readonly number[]): number {
  return logits.indexOf(Math.max(...logits));
}

/** Prompts of lengths 1 to 40, so that they fall into several passes and buckets. */
const prompts = [1, 3, 7, 15, 16, 17, 24, 40].map((length) =>
  Array.from({ length }, (_, i) => (i * 7 + length) % tinyLlamaConfig.vocabularySize),
);

describe('an answer', () => {
  it('is what a full forward pass for every token gives, with the log-probabilities of the full pass', async () => {
    const engine = engineWith();
    const answers = await engine.generateAll(
      prompts.map((prompt) => ({ prompt, maxTokens: 12, sampling: { temperature: 0 } })),
    );
    for (const [i, { tokens, finish }] of answers.entries()) {
      const ids = tokens.map(({ id }) => id);
      expectGreedy(ids, weights, prompts[i]!, 12);
      expect(finish).toBe('length');
      expect(tokens.map(({ logProbability }) => logProbability)).toBeAllClose(
        referenceAnswerLogProbabilities(weights, prompts[i]!, ids),
        { atol: 2e-5 },
      );
    }
  });

  it('is the same whether its prompt is read for it alone or for several', async () => {
    const request = (seed: number): GenerationRequest => ({
      prompt: prompts[seed % 3]!,
      maxTokens: 12,
      sampling: { seed },
    });
    const seeds = Array.from({ length: 9 }, (_, seed) => seed);
    const together = await engineWith().generateAll(seeds.map(request));
    expect(new Set(together.map(({ tokens }) => tokens.map(({ id }) => id).join())).size).toBe(seeds.length);
    for (const seed of seeds) {
      const [alone] = await engineWith().generateAll([request(seed)]);
      expect(together[seed]!.tokens.map(({ id }) => id)).toEqual(alone!.tokens.map(({ id }) => id));
      expect(together[seed]!.tokens.map(({ logProbability }) => logProbability)).toBeAllClose(
        alone!.tokens.map(({ logProbability }) => logProbability),
        { atol: 2e-5 },
      );
    }
  });

  it('carries its log-probabilities at the sampling temperature', async () => {
    const engine = engineWith();
    const prompt = [3, 1, 4];
    const [answer] = await engine.generateAll([{ prompt, maxTokens: 20, sampling: { temperature: 0.6, seed: 5 } }]);
    const ids = answer!.tokens.map(({ id }) => id);
    expect(answer!.tokens.map(({ logProbability }) => logProbability)).toBeAllClose(
      referenceAnswerLogProbabilities(weights, prompt, ids, 0.6),
      { atol: 5e-5 },
    );
  });

  it('depends on its own seed alone, not on its neighbours, nor on how many fit into a batch', async () => {
    const requests = prompts.map((prompt, i): GenerationRequest => {
      return { prompt, maxTokens: 4 + 5 * i, sampling: { temperature: 1.2, seed: 100 + i } };
    });
    const together = await engineWith().generateAll(requests);
    const inThrees = await engineWith(weights, { maxBatch: 3 }).generateAll(requests);
    const alone = engineWith();
    for (const [i, request] of requests.entries()) {
      const [solo] = await alone.generateAll([request]);
      const ids = solo!.tokens.map(({ id }) => id);
      expect(ids).toHaveLength(request.maxTokens!);
      expect(together[i]!.tokens.map(({ id }) => id)).toEqual(ids);
      expect(inThrees[i]!.tokens.map(({ id }) => id)).toEqual(ids);
    }
  });

  it('is another one with another seed', async () => {
    const [a, b] = await engineWith().generateAll(
      [1, 2].map((seed) => ({ prompt: [1], maxTokens: 30, sampling: { seed } })),
    );
    expect(a!.tokens.map(({ id }) => id)).not.toEqual(b!.tokens.map(({ id }) => id));
  });

  it('is the same whether the graph or the host chooses', async () => {
    const engine = engineWith();
    const request = { prompt: [9, 8, 7], maxTokens: 40, sampling: { temperature: 0.9, seed: 77 } };
    const [inGraph] = await engine.generateAll([request]);
    // Alternatives are worked out on the host, so the choice is too.
    const [onHost] = await engine.generateAll([{ ...request, alternatives: 1 }]);
    expect(onHost!.tokens.map(({ id }) => id)).toEqual(inGraph!.tokens.map(({ id }) => id));
  });

  it('lists the most probable alternatives with their log-probabilities', async () => {
    const prompt = [2, 20];
    const [answer] = await engineWith().generateAll([
      { prompt, maxTokens: 1, alternatives: 3, sampling: { temperature: 2 } },
    ]);
    const expected = referenceLogProbabilities(referenceLogits(weights, prompt).at(-1)!, 2);
    const order = expected.map((_, id) => id).sort((a, b) => expected[b]! - expected[a]!);
    const { alternatives } = answer!.tokens[0]!;
    expect(alternatives.map(({ id }) => id)).toEqual(order.slice(0, 3));
    expect(alternatives.map(({ logProbability }) => logProbability)).toBeAllClose(
      order.slice(0, 3).map((id) => expected[id]!),
      { atol: 2e-5 },
    );
  });

  it('fills the context to its last token', async () => {
    const prompt = Array.from({ length: 60 }, (_, i) => i % 24);
    const [answer] = await engineWith().generateAll([{ prompt, sampling: { temperature: 0 } }]);
    expect(answer!.finish).toBe('length');
    expectGreedy(
      answer!.tokens.map(({ id }) => id),
      weights,
      prompt,
      36,
    );
  });
});

describe('the distribution of first tokens over 4,000 seeds', () => {
  const prompt = [5, 6];
  const plain = referenceLogProbabilities(referenceLogits(weights, prompt).at(-1)!).map(Math.exp);
  const order = plain.map((_, id) => id).sort((a, b) => plain[b]! - plain[a]!);

  async function counts(sampling: { temperature?: number; topK?: number; topP?: number }): Promise<number[]> {
    const engine = engineWith(weights, { maxBatch: 500 });
    const answers = await engine.generateAll(
      Array.from({ length: 4000 }, (_, seed) => ({ prompt, maxTokens: 1, sampling: { ...sampling, seed } })),
    );
    const result = new Array<number>(tinyLlamaConfig.vocabularySize).fill(0);
    for (const { tokens } of answers) result[tokens[0]!.id]!++;
    return result;
  }

  function only(kept: readonly number[]): number[] {
    const total = kept.reduce((sum, id) => sum + plain[id]!, 0);
    return plain.map((p, id) => (kept.includes(id) ? p / total : 0));
  }

  it('is the softmax at temperature 1', async () => {
    expect(chiSquare(await counts({}), plain)).toBeLessThan(chiSquareLimit(23));
  });

  it('is the softmax of the logits divided by the temperature', async () => {
    const logits = referenceLogits(weights, prompt).at(-1)!;
    const warm = referenceLogProbabilities(logits, 1.7).map(Math.exp);
    const observed = await counts({ temperature: 1.7 });
    expect(chiSquare(observed, warm)).toBeLessThan(chiSquareLimit(23));
    expect(chiSquare(observed, plain)).toBeGreaterThan(2 * chiSquareLimit(23));
  });

  it('is that of the k most probable tokens with top-k', async () => {
    expect(chiSquare(await counts({ topK: 5 }), only(order.slice(0, 5)))).toBeLessThan(chiSquareLimit(4));
  });

  it('is that of the smallest set of tokens that reaches p with top-p', async () => {
    let reached = 0;
    const kept = order.filter((id) => {
      const before = reached;
      reached += plain[id]!;
      return before < 0.8;
    });
    expect(kept.length).toBeGreaterThan(2);
    expect(kept.length).toBeLessThan(20);
    expect(chiSquare(await counts({ topP: 0.8 }), only(kept))).toBeLessThan(chiSquareLimit(kept.length - 1));
  });
});

describe('the end of an answer', () => {
  it('is the first stop token, which is its last token', async () => {
    const engine = engineWith();
    const request = { prompt: [4], sampling: { temperature: 0 } };
    const answer = await idsOf(engine.generate({ ...request, maxTokens: 30 }));
    const stop = answer[10]!;
    const [generation] = await engine.generateAll([{ ...request, stopTokens: [stop, 1000] }]);
    expect(generation!.finish).toBe('stop');
    expect(generation!.tokens.map(({ id }) => id)).toEqual(answer.slice(0, answer.indexOf(stop) + 1));
  });

  it('is a stop where the last token allowed is a stop token', async () => {
    const first = mostProbable(referenceLogits(weights, [4])[0]!);
    const [generation] = await engineWith().generateAll([
      { prompt: [4], maxTokens: 1, stopTokens: [first], sampling: { temperature: 0 } },
    ]);
    expect(generation).toMatchObject({ finish: 'stop', tokens: [{ id: first }] });
  });
});

describe('cancelling', () => {
  it('ends the answer and frees its place', async () => {
    const engine = engineWith(weights, { maxBatch: 1 });
    const abort = new AbortController();
    const stream = engine.generate({ prompt: [1], signal: abort.signal });
    const next = engine.generate({ prompt: [2], maxTokens: 2, sampling: { temperature: 0 } });
    const got: number[] = [];
    for await (const { id } of stream.tokens) {
      got.push(id);
      if (got.length === 3) abort.abort();
    }
    expect(await stream.finish).toBe('cancelled');
    expect(got.length).toBeLessThan(6);
    expectGreedy(await idsOf(next), weights, [2], 2);
    expect(engine.load).toEqual({ active: 0, waiting: 0 });
  });

  it('takes a waiting request out of the queue while all places are taken', async () => {
    const engine = engineWith(weights, { maxBatch: 1, maxWaiting: 2 });
    const long = engine.generate({ prompt: [1], maxTokens: 90 });
    const abort = new AbortController();
    const waiting = engine.generate({ prompt: [2], signal: abort.signal });
    await firstOf(long);
    expect(engine.load).toEqual({ active: 1, waiting: 1 });
    abort.abort();
    expect(await waiting.finish).toBe('cancelled');
    expect(await idsOf(waiting)).toEqual([]);
    expect(engine.load).toEqual({ active: 1, waiting: 0 });
    expect(await idsOf(long)).toHaveLength(90);
  });

  it('leaves the answers beside it as they are', async () => {
    const engine = engineWith();
    const abort = new AbortController();
    const streams = prompts.map((prompt, i) =>
      engine.generate({
        prompt,
        maxTokens: 20,
        sampling: { temperature: 0 },
        ...(i % 3 === 0 && { signal: abort.signal }),
      }),
    );
    await firstOf(streams[0]!);
    abort.abort();
    for (const [i, stream] of streams.entries())
      if (i % 3 !== 0) expectGreedy(await idsOf(stream), weights, prompts[i]!, 20);
  });
});

describe('new weights', () => {
  const other = tinyLlama(2);
  const request: GenerationRequest = { prompt: [7, 3], maxTokens: 25, sampling: { temperature: 0 } };

  it('answer what is asked from then on, while what was asked before ends on the old ones', async () => {
    const engine = engineWith();
    const before = engine.generate(request);
    const ids: number[] = [];
    let after: GenerationStream | undefined;
    for await (const { id } of before.tokens) {
      ids.push(id);
      if (ids.length !== 5) continue;
      engine.setModel({ weights: other, config: tinyLlamaConfig, version: 2 });
      after = engine.generate(request);
    }
    expect(before.version).toBe(1);
    expectGreedy(ids, weights, request.prompt, 25);
    expect(after!.version).toBe(2);
    expectGreedy(await idsOf(after!), other, request.prompt, 25);
  });

  it('leave waiting requests to the weights whose version they were told', async () => {
    const engine = engineWith(weights, { maxBatch: 1 });
    const streams = [engine.generate(request), engine.generate(request)];
    engine.setModel({ weights: other, config: tinyLlamaConfig, version: 2 });
    streams.push(engine.generate(request));
    expect(streams.map(({ version }) => version)).toEqual([1, 1, 2]);
    const answers = await Promise.all(streams.map(idsOf));
    for (const [i, model] of [weights, weights, other].entries()) expectGreedy(answers[i]!, model, request.prompt, 25);
  });

  it.each([0, 1, 2, 3])('may come while a prompt is being read (after %i turns of the event loop)', async (turns) => {
    const engine = engineWith();
    const before = engine.generate(request);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    engine.setModel({ weights: other, config: { ...tinyLlamaConfig, maxPositions: 64 }, version: 2 });
    expectGreedy(await idsOf(before), weights, request.prompt, 25);
    expectGreedy(await idsOf(engine.generate(request)), other, request.prompt, 25);
  });

  it('hold requests to their own context', async () => {
    const engine = engineWith();
    engine.setModel({ weights: other, config: { ...tinyLlamaConfig, maxPositions: 8 }, version: 2 });
    expect(() => engine.generate({ prompt: new Array<number>(8).fill(1) })).toThrow(
      'prompt has 8 tokens; the context of 8 must hold it and at least one more',
    );
    const [answer] = await engine.generateAll([{ prompt: [1, 2, 3, 4, 5], sampling: { temperature: 0 } }]);
    expectGreedy(
      answer!.tokens.map(({ id }) => id),
      other,
      [1, 2, 3, 4, 5],
      3,
    );
  });
});

describe('what cannot be done', () => {
  it('is refused without a model', () => {
    const engine = new GenerationEngine();
    expect(() => engine.generate({ prompt: [1] })).toThrow('no model is loaded yet');
  });

  it('is refused when too many wait, unless they come all at once', async () => {
    const engine = engineWith(weights, { maxBatch: 1, maxWaiting: 2 });
    const streams = [engine.generate({ prompt: [1], maxTokens: 1 }), engine.generate({ prompt: [1], maxTokens: 1 })];
    expect(() => engine.generate({ prompt: [1] })).toThrow('2 requests are waiting already; try again later');
    await Promise.all(streams.map(({ finish }) => finish));
    const answers = await engine.generateAll(
      Array.from({ length: 5 }, (_, i) => ({ prompt: [i], maxTokens: 2, sampling: { temperature: 0 } })),
    );
    for (const [i, { tokens }] of answers.entries())
      expectGreedy(
        tokens.map(({ id }) => id),
        weights,
        [i],
        2,
      );
  });

  it('begins with nothing when one request of many is wrong', async () => {
    const engine = engineWith();
    await expect(engine.generateAll([{ prompt: [1] }, { prompt: [] }])).rejects.toThrow('prompt is empty');
    expect(engine.load).toEqual({ active: 0, waiting: 0 });
  });

  it.each([0, 1, 2, 3, 4])('ends with an error when the engine stops (after %i turns)', async (turns) => {
    const engine = engineWith(weights, { maxBatch: 1 });
    const streams = [engine.generate({ prompt: [1] }), engine.generate({ prompt: [2] })];
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    await engine.dispose();
    for (const stream of streams) {
      await expect(stream.finish).rejects.toMatchObject({ code: 'unavailable', message: 'the engine was stopped' });
      await expect(idsOf(stream)).rejects.toThrow('the engine was stopped');
    }
    expect(() => engine.generate({ prompt: [1] })).toThrow('the engine was stopped');
  });
});
