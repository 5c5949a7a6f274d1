/**
 * For tests: every stage on a tiny model and a few made-up sequences, in a second or less. The same call makes the same
 * model, bit for bit, whatever interrupts it on the way.
 */
import { Random } from '@crucible/foundation';
import { scalar } from '@crucible/tensor';
import { tinyLlama, tinyLlamaConfig, tinyRewardModel } from '@crucible/testing';
import { type AnswerGroup, finiteAnswers } from '../batches/answer-groups.ts';
import { finiteChats, type TokenizedChat } from '../batches/chat-rows.ts';
import { streamSource } from '../batches/token-windows.ts';
import type { MaskedVocabulary } from '../batches/masked-windows.ts';
import { encoderConfigOf, mlm, mlmDefaults } from '../mlm.ts';
import { ppo, type PpoInputs, type PpoSettings } from '../ppo.ts';
import { pretrain } from '../pretrain.ts';
import { trainRewardModel } from '../reward-model.ts';
import { sft } from '../sft.ts';
import type { StageContext, StageName } from '../stage.ts';

export const pad = 0;
export const eos = 1;

const tinyBertConfig = encoderConfigOf({ ...mlmDefaults, hiddenSize: 16, layers: 1, heads: 2, maxPositions: 16 }, 24);

/** Every third token goes on with a word. */
const tinyVocabulary: MaskedVocabulary = {
  cls: 0,
  sep: 1,
  mask: 2,
  size: 24,
  continues: Uint8Array.from({ length: 24 }, (_, id) => Number(id > 2 && id % 3 === 0)),
  special: Uint8Array.from({ length: 24 }, (_, id) => Number(id < 3)),
};

/** Ordinary tokens, neither padding nor end. */
export function tokens(random: Random, length: number): number[] {
  return Array.from({ length }, () => random.integer(2, tinyLlamaConfig.vocabularySize - 1));
}

export function tinyChats(count: number): TokenizedChat[] {
  const random = Random.seeded(2);
  return Array.from({ length: count }, () => {
    const question = tokens(random, random.integer(1, 9));
    const answer = [...tokens(random, random.integer(1, 9)), eos];
    return {
      ids: [...question, ...answer],
      answerMask: [...question.map(() => false), ...answer.map(() => true)],
    };
  });
}

/** Groups of two to four answers to one prompt, graded with whole numbers. */
export function tinyAnswerGroups(count: number): AnswerGroup[] {
  const random = Random.seeded(3);
  return Array.from({ length: count }, () => {
    const prompt = tokens(random, random.integer(1, 6));
    return Array.from({ length: random.integer(2, 4) }, (_, i) => ({
      ids: [...prompt, ...tokens(random, random.integer(1, 6)), eos],
      score: i === 0 ? 3 : random.integer(0, 2),
    }));
  });
}

export function tinyPpoInputs(): PpoInputs {
  return {
    config: tinyLlamaConfig,
    reference: tinyLlama(1),
    value: tinyRewardModel(2),
    // Likes token 5.
    reward: (samples) => Promise.resolve(samples.map(({ response }) => response.filter((id) => id === 5).length)),
    prompts: (iteration, count, longest) => {
      const random = Random.seeded(4).fork(`prompts ${iteration}`);
      return Array.from({ length: count }, () => tokens(random, random.integer(1, Math.min(10, longest))));
    },
    eos,
    pad,
  };
}

export const tinyPpoSettings: Partial<PpoSettings> = {
  samples: 6,
  answersPerPrompt: 3,
  maxTokens: 8,
  time: 32,
  minibatches: 2,
  epochs: 2,
  valueOnlyIterations: 1,
  klTarget: 0.5,
};

export interface TinyStageOptions {
  /** Called when step n (from 0) begins. */
  readonly onStep?: (n: number) => unknown;
  /** Default: 6, for PPO 4. */
  readonly steps?: number;
}

/** Runs a stage and returns all that it learned, as a tree of arrays. */
export async function runTinyStage(
  stage: StageName,
  context: Omit<StageContext<never>, 'publish'>,
  { onStep = () => undefined, steps = stage === 'ppo' ? 4 : 6 }: TinyStageOptions = {},
): Promise<object> {
  const config = tinyLlamaConfig;
  const base = tinyLlama(1);
  switch (stage) {
    case 'pretrain': {
      const source = streamSource(Int32Array.from(tokens(Random.seeded(5), 300)), 6);
      const inputs = { config, initial: base, source: { batch: watched(onStep, source.batch) } };
      return (await pretrain(inputs, { steps, rows: 2, time: 16, warmupSteps: 2 }, context)).weights;
    }
    case 'mlm': {
      const source = streamSource(Int32Array.from(tokens(Random.seeded(5), 300)), 6);
      const inputs = {
        config: tinyBertConfig,
        vocabulary: tinyVocabulary,
        source: { batch: watched(onStep, source.batch) },
      };
      return (await mlm(inputs, { steps, rows: 2, time: 16, warmupSteps: 2 }, context)).weights;
    }
    case 'sft': {
      const source = finiteChats(tinyChats(7), { seed: 7, pad });
      const inputs = { config, base, source: { batch: watched(onStep, source.batch) } };
      return (await sft(inputs, { steps, rows: 2, time: 32, warmupSteps: 2 }, context)).weights;
    }
    case 'reward': {
      const groups = tinyAnswerGroups(9);
      const source = finiteAnswers(groups.slice(0, 6), 8);
      const inputs = {
        config,
        base,
        source: { groups: watched(onStep, source.groups) },
        pad,
        heldOut: groups.slice(6),
      };
      const { model } = await trainRewardModel(inputs, { steps, groups: 3, time: 16, warmupSteps: 2 }, context);
      return { weights: model.weights, bias: scalar(model.bias) };
    }
    case 'ppo': {
      const inputs = tinyPpoInputs();
      const prompts = watched(onStep, inputs.prompts);
      return (await ppo({ ...inputs, prompts }, { ...tinyPpoSettings, iterations: steps }, context)).weights;
    }
  }
}

function watched<A extends [number, ...unknown[]], R>(onStep: (n: number) => unknown, f: (...args: A) => R) {
  return (...args: A): R => {
    onStep(args[0]);
    return f(...args);
  };
}
