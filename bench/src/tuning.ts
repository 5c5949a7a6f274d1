/**
 * The tuning lab in eight minutes: small models are pre-trained, and the questions that it is for are asked of them, each
 * with the interval of its answer. On SST-2, with books and its own training sentences, without their labels, to pre-train
 * on; without these files on the built-in world's reviews.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SavedModel, saveModel } from '@crucible/checkpoint';
import { saveTokenizer, type Tokenizer } from '@crucible/tokenizer';
import {
  accuracyOver,
  type Cell,
  type CellResult,
  CellRunner,
  choose,
  type ComparedModel,
  type Comparison,
  comparisonPresets,
  instructLab,
  makeLabDecoder,
  makeLabEncoder,
} from '@crucible/tuning';
import type { Benchmark, Figure } from './benchmark.ts';
import { dataMissing, findData } from './data-folder.ts';

const corpus = 'corpus/train';
const [train, dev] = ['classification/sst2-train.txt', 'classification/sst2-dev.txt'];
/** Steps: of pre-training, of tuning on instructions, and of tuning with few examples and with all. */
const steps = { encoder: 2500, decoder: 500, instructions: 300, few: 50, all: 800 };
const few = 16;
const softTokens = 8;
const texts = 872;

type Key =
  | 'sst2_mlm_finetune'
  | 'k16_head'
  | 'k16_prompt'
  | 'soft_prompt_share'
  | 'zero_shot_base'
  | 'zero_shot_instructed'
  | 'minutes';

export const tuning: Benchmark<Key> = {
  description: 'the ways to tune, a fixed quick part of crucible compare; CRUCIBLE_DATA names the folder of the data',
  metrics: {
    sst2_mlm_finetune: {
      meaning: 'SST-2 dev, a new head and all of our own encoder learned from all of train',
      unit: 'share',
    },
    k16_head: { meaning: 'a new head from 16 examples of each label, 5 seeds', unit: 'share' },
    k16_prompt: { meaning: 'a prompt in words from the same', unit: 'share' },
    soft_prompt_share: { meaning: `numbers of a soft prompt of ${softTokens} tokens, of all`, unit: 'share' },
    zero_shot_base: { meaning: 'the language model, asked without examples', unit: 'share' },
    zero_shot_instructed: { meaning: 'the same after tuning on instructions of other tasks', unit: 'share' },
    minutes: { meaning: 'all of it, pre-training included', unit: 'min' },
  },
  run: async (report) => {
    const start = performance.now();
    const files = [corpus, train, dev].map(findData);
    const missing = [corpus, train, dev].find((_name, i) => files[i] === undefined);
    const [books, sstTrain, sstDev] = files;
    const isReal = missing === undefined;
    const home = mkdtempSync(join(tmpdir(), 'crucible-bench-tuning-'));
    try {
      const since = (): string => `${((performance.now() - start) / 1000).toFixed(0)} s`;
      const text = isReal ? { seed: 1, corpus: [books!], more: withoutLabels(sstTrain!) } : { seed: 1 };
      const keep = (role: ComparedModel['role'], model: SavedModel, tokenizer: Tokenizer): ComparedModel => {
        const folder = join(home, role);
        mkdirSync(folder);
        saveModel(folder, model, { pad: tokenizer.padId ?? 0 });
        saveTokenizer(tokenizer, folder);
        return { role, name: role, folder, sha256: role, isImported: false };
      };
      const encoder = await makeLabEncoder(text, {
        steps: steps.encoder,
        sizes: { hiddenSize: 128, layers: 2, heads: 4 },
      });
      report(`${since()}: encoder, ${encoder.metrics['loss']!.toFixed(2)} nats a masked token`);
      const decoder = await makeLabDecoder(text, { steps: steps.decoder });
      report(`${since()}: language model, ${decoder.metrics['loss']!.toFixed(2)} nats a token`);
      const instructed = await instructLab(decoder, { steps: steps.instructions, seed: 1, heldOut: ['sentiment'] });
      report(`${since()}: tuned on instructions`);
      const comparison: Comparison = {
        task: isReal
          ? {
              name: 'sst2',
              source: { files: { train: sstTrain!, test: sstDev! } },
              words: { 0: ['terrible', 'bad'], 1: ['great', 'good'] },
            }
          : { name: 'sentiment', source: { world: 'sentiment' } },
        transfer: [],
        models: [
          keep('encoder', encoder.model, encoder.tokenizer),
          keep('decoder', decoder.model, decoder.tokenizer),
          keep('instructed', instructed.model, instructed.tokenizer),
        ],
        settings: {
          ...comparisonPresets.whole,
          ...{ steps: steps.few, allSteps: steps.all, rows: 32, rates: [1], testTexts: texts },
        },
      };
      const runner = new CellRunner(comparison);
      const results: CellResult[] = [];
      for (const cell of cellsOf(comparison.settings.seeds)) {
        // The clock must not stop the bench: what is measured is fixed.
        results.push(await runner.run(cell));
        report(`${since()}: ${cell.method} of the ${cell.model}, ${cell.shots} examples, seed ${cell.seed}`);
      }
      const share = (method: Cell['method'], model: string, shots: Cell['shots']): Figure => {
        const { value, low, high } = accuracyOver(choose(results, { method, model, shots }))!;
        return { value, low, high };
      };
      const [soft] = choose(results, { method: 'soft-prompt' });
      return {
        sst2_mlm_finetune: isReal ? share('fine-tuning', 'encoder', 'all') : null,
        k16_head: share('fine-tuning', 'encoder', few),
        k16_prompt: share('prompt', 'encoder', few),
        soft_prompt_share: soft!.trainedParameters / soft!.allParameters,
        zero_shot_base: share('in-context', 'decoder', 0),
        zero_shot_instructed: share('in-context', 'instructed', 0),
        minutes: (performance.now() - start) / 60_000,
        ...(!isReal && { note: `${dataMissing(missing)}; the built-in reviews were used, and SST-2 was not measured` }),
      };
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
};

/** What is learned from, as plain text: the encoder is to know its words. */
function withoutLabels(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.replace(/^\d+ /, ''))
    .filter((line) => line.trim() !== '');
}

function cellsOf(seeds: readonly number[]): Cell[] {
  const [seed] = seeds as [number];
  const cell = (model: string, method: Cell['method'], shots: Cell['shots'], own = seed): Cell => {
    return { part: 'size', model, method, shots, seed: own, rate: 1 };
  };
  return [
    cell('decoder', 'in-context', 0),
    cell('instructed', 'in-context', 0),
    { ...cell('decoder', 'soft-prompt', few), size: softTokens },
    ...seeds.flatMap((own) => [cell('encoder', 'fine-tuning', few, own), cell('encoder', 'prompt', few, own)]),
    cell('encoder', 'fine-tuning', 'all'),
  ];
}
