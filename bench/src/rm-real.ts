/**
 * A reward model on what people really preferred: pre-trained on books, fine-tuned on instructions, then trained on pairs
 * of answers. Five-fold cross-validation: every pair is judged by a model that has not seen it, so the interval is that
 * of all pairs.
 */
import { readPreferences } from '@crucible/data';
import { wilson } from '@crucible/evaluation';
import { Random } from '@crucible/foundation';
import { ScalarScorer } from '@crucible/inference';
import { trainBpe } from '@crucible/tokenizer';
import {
  type AnswerGroup,
  answerGroup,
  finiteAnswers,
  modelConfig,
  pairAccuracy,
  pretrain,
  readUserData,
  resolvePreset,
  sft,
  trainRewardModel,
} from '@crucible/training';
import type { Benchmark } from './benchmark.ts';
import { dataMissing, findData } from './data-folder.ts';

const files = {
  corpus: 'corpus/train',
  instructions: 'instructions/t0-mixture.jsonl.gz',
  preferences: 'preferences/hh-harmless.jsonl.gz',
};
const folds = 5;
const settings = resolvePreset('tiny', {
  pretrain: { steps: 600 },
  sft: { steps: 150, time: 384 },
  reward: { steps: 120, groups: 8, time: 384, learningRate: 0.003 },
});

export const rmReal: Benchmark<'pair_accuracy' | 'low' | 'high'> = {
  description: `a reward model on the real pairs of ${files.preferences}, ${folds}-fold; CRUCIBLE_DATA names the folder of the data`,
  metrics: {
    pair_accuracy: { meaning: 'pairs that were not learned from and are put in order', unit: 'share' },
    low: { meaning: 'lower end of the 95 % interval (Wilson)', unit: 'share' },
    high: { meaning: 'upper end', unit: 'share' },
  },
  run: async (report) => {
    const missing = Object.values(files).find((file) => findData(file) === undefined);
    if (missing !== undefined) return { pair_accuracy: null, low: null, high: null, note: dataMissing(missing) };
    const of = (kind: keyof typeof files): string => findData(files[kind])!;
    const data = await readUserData(
      { corpus: [of('corpus')], instructions: [of('instructions')], preferences: [] },
      { onInvalid: 'skip', onNotice: report },
    );
    const tokenizer = await trainBpe(data.tokenizerTexts(), { vocabSize: settings.vocabulary });
    const config = modelConfig(settings, tokenizer.vocabSize);
    const progress = {
      report: ({ stage, step, steps, metrics }: { stage: string; step: number; steps: number; metrics: object }) => {
        if (step % 50 === 0 || step === steps) report(`${stage} ${step} of ${steps}: ${JSON.stringify(metrics)}`);
      },
    };
    const a = await pretrain({ config, ...data.text(tokenizer, 1) }, settings.pretrain, progress);
    const chats = data.chats!(tokenizer, 1);
    const { weights: base } = await sft({ config, base: a.weights, source: chats }, settings.sft, progress);

    const groups: AnswerGroup[] = [];
    for await (const record of readPreferences(of('preferences'), { onInvalid: 'skip' })) {
      if (record.kind !== 'pair') continue;
      groups.push(answerGroup(tokenizer, record));
    }
    const shuffled = Random.seeded(1).fork('folds').shuffled(groups);
    const pad = tokenizer.padId!;
    let right = 0;
    for (let fold = 0; fold < folds; fold++) {
      const heldOut = shuffled.filter((_group, i) => i % folds === fold);
      const source = finiteAnswers(
        shuffled.filter((_group, i) => i % folds !== fold),
        fold,
      );
      const { model } = await trainRewardModel({ config, base, source, heldOut, pad }, settings.reward, progress);
      const scorer = new ScalarScorer(model.weights, config);
      right +=
        heldOut.length * (await pairAccuracy(scorer, model.weights, heldOut, { time: settings.reward.time, pad }));
      await scorer.dispose();
    }
    return { pair_accuracy: right / groups.length, ...wilson(right, groups.length) };
  },
};
