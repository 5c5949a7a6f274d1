import '@crucible/testing';
import { flatten, isNdArray } from '@crucible/tensor';
import { tinyLlama, tinyLlamaConfig as config } from '@crucible/testing';
import { expect, it } from 'vitest';
import { finiteAnswers } from './batches/answer-groups.ts';
import { finiteChats } from './batches/chat-rows.ts';
import { trainRewardModel } from './reward-model.ts';
import { sft } from './sft.ts';
import { pad, tinyAnswerGroups, tinyChats } from './testing/tiny-stages.ts';

const base = tinyLlama(1);
const groups = tinyAnswerGroups(9);

/** What a stage learns when its batches are worked out in so many parts. */
const stages = {
  sft: async (microBatches: number): Promise<object> => {
    const source = finiteChats(tinyChats(7), { seed: 7, pad });
    const settings = { steps: 4, rows: 4, time: 20, warmupSteps: 2, microBatches };
    return (await sft({ config, base, source }, settings)).weights;
  },
  'reward model': async (microBatches: number): Promise<object> => {
    const source = finiteAnswers(groups.slice(0, 6), 8);
    const settings = { steps: 4, groups: 4, time: 16, warmupSteps: 2, microBatches };
    const { model } = await trainRewardModel({ config, base, source, pad, heldOut: groups.slice(6) }, settings);
    return model.weights;
  },
};

it.each(['sft', 'reward model'] as const)('%s learns the same in parts as whole', async (stage) => {
  const [whole, inParts] = [await stages[stage](1), await stages[stage](4)];
  const found = new Map(flatten(inParts, isNdArray).map(({ path, leaf }) => [path, leaf.data]));
  for (const { path, leaf } of flatten(whole, isNdArray))
    expect(found.get(path)).toBeAllClose(leaf.data, { atol: 1e-4 });
});
