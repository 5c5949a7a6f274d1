import type { ModelWeights } from '@crucible/nn';
import { tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { ppo, type PpoSettings, type Sample } from './ppo.ts';
import { valuesOf } from './testing/gradients.ts';
import { eos, tinyPpoInputs, tinyPpoSettings } from './testing/tiny-stages.ts';

/** One iteration of one update. */
const once: Partial<PpoSettings> = {
  ...tinyPpoSettings,
  iterations: 1,
  epochs: 1,
  minibatches: 1,
  valueOnlyIterations: 0,
  klTarget: null,
};

describe('the first step of PPO', () => {
  it.each([1, 0.6])('begins with ratio 1 and no KL to the reference, at temperature %d', async (temperature) => {
    const { metrics } = await ppo(tinyPpoInputs(), { ...once, temperature });
    expect(metrics['val/ratio']).toBeCloseTo(1, 5);
    expect(metrics['policy/approxkl_avg']).toBeLessThan(1e-9);
    expect(metrics['policy/clipfrac_avg']).toBe(0);
    expect(metrics['objective/kl']).toBeCloseTo(0, 4);
    // What sampling said of its tokens is what training says of them.
    expect(metrics['rollout/logprob_diff']).toBeLessThan(5e-5);
    // Whitened advantages have mean 0, so with ratio 1 the loss is 0; there is something to learn all the same.
    expect(metrics['loss/policy_avg']).toBeCloseTo(0, 5);
    expect(metrics['policy/grad_norm']).toBeGreaterThan(1e-3);
  });

  it('takes the penalty off the score of what did not end, and the KL cost off the reward', async () => {
    const seen: Sample[] = [];
    const reward = (samples: readonly Sample[]): Promise<number[]> => {
      seen.push(...samples);
      return Promise.resolve(samples.map(() => 2));
    };
    const { metrics } = await ppo(
      { ...tinyPpoInputs(), reward },
      { ...once, samples: 30, missingEosPenalty: 3, klCoefficient: 0.05 },
    );
    const finished = seen.filter((sample) => sample.finished).length / seen.length;
    expect(finished).toBeGreaterThan(0);
    expect(finished).toBeLessThan(1);
    expect(metrics['val/num_eos_tokens']).toBeCloseTo(finished, 9);
    expect(metrics['objective/scores']).toBeCloseTo(2 - 3 * (1 - finished), 9);
    expect(metrics['objective/non_score_reward']).toBeCloseTo(-0.05 * metrics['objective/kl']!, 9);
    for (const { prompt, response, finished: ended } of seen) {
      expect(prompt.length).toBeGreaterThan(0);
      expect(response.at(-1) === eos).toBe(ended);
      expect(response.slice(0, -1)).not.toContain(eos);
      if (!ended) expect(response).toHaveLength(8);
    }
  });
});

it('samples several answers to each prompt', async () => {
  const seen: (readonly number[])[] = [];
  const reward = (samples: readonly Sample[]): Promise<number[]> => {
    seen.push(...samples.map(({ prompt }) => prompt));
    return Promise.resolve(samples.map(() => 0));
  };
  const inputs = tinyPpoInputs();
  await ppo({ ...inputs, reward }, { ...once, samples: 12, answersPerPrompt: 4 });
  expect(seen).toEqual(inputs.prompts(0, 3, 24).flatMap((prompt) => [prompt, prompt, prompt, prompt]));
});

it('learns which of the answers to a prompt is better, whatever all of them are worth', async () => {
  const inputs = tinyPpoInputs();
  // Prompts differ by far more than answers do.
  const reward = (samples: readonly Sample[]): Promise<number[]> =>
    Promise.resolve(
      samples.map(({ prompt, response }) => 1000 * prompt.length + response.filter((id) => id === 5).length),
    );
  const shareOfFives: number[] = [];
  const observed = (samples: readonly Sample[]): Promise<number[]> => {
    const tokens = samples.flatMap(({ response }) => response);
    shareOfFives.push(tokens.filter((id) => id === 5).length / tokens.length);
    return reward(samples);
  };
  const settings = { ...once, iterations: 12, samples: 24, policyLearningRate: 0.01, klCoefficient: 0 };
  await ppo({ ...inputs, reward: observed }, settings);
  expect(shareOfFives.at(-1)!).toBeGreaterThan(3 * shareOfFives[0]!);
});

it('leaves the policy alone in the first iterations, in which the value network learns', async () => {
  const inputs = tinyPpoInputs();
  const { weights, metrics } = await ppo(inputs, { ...once, iterations: 2, valueOnlyIterations: 2 });
  expect(valuesOf(weights)).toEqual(valuesOf(inputs.reference));
  expect(metrics['loss/value_avg']).toBeGreaterThan(0);
  expect(metrics['loss/policy_avg']).toBeUndefined();
});

it('publishes the finished policy', async () => {
  const published: [ModelWeights, boolean][] = [];
  const { weights } = await ppo(tinyPpoInputs(), once, {
    publish: (policy, { finished }) => Promise.resolve(void published.push([policy, finished])),
  });
  expect(published).toHaveLength(1);
  expect(published[0]![1]).toBe(true);
  expect(published[0]![0]).toBe(weights);
});

describe('settings that cannot work', () => {
  it('are refused: minibatches that do not divide the samples', async () => {
    await expect(ppo(tinyPpoInputs(), { samples: 10, minibatches: 4, answersPerPrompt: 5 })).rejects.toThrow(
      'ppo: 10 samples do not divide into 4 minibatches',
    );
  });

  it('are refused: answers that leave no room for a prompt', async () => {
    await expect(ppo(tinyPpoInputs(), { ...once, maxTokens: 32 })).rejects.toThrow(
      'ppo: answers of 32 tokens leave no room for a prompt in rows of 32 and a context of 96',
    );
    const config = { ...tinyLlamaConfig, maxPositions: 8 };
    await expect(ppo({ ...tinyPpoInputs(), config }, once)).rejects.toThrow(
      'ppo: answers of 8 tokens leave no room for a prompt in rows of 32 and a context of 8',
    );
  });
});
