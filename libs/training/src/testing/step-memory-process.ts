/**
 * For tests, as a process of its own: `node step-memory-process.ts JSON` makes three steps of fine-tuning, and prints what
 * that was predicted to take beyond the inputs, what it took, and all that the process had at its peak, in MiB, as JSON.
 */
import { Random } from '@crucible/foundation';
import {
  decoderParameters,
  initLanguageModel,
  initLora,
  type LoraConfig,
  type LlamaConfig,
  type ModelWeights,
} from '@crucible/nn';
import { floats, ints } from '@crucible/tensor';
import { adapterOptimizer, trainingPlan } from '../adapter-training.ts';
import { type PredictionBatch, predictionParts } from '../batches/prediction.ts';
import { predictionsAt, predictionLoss } from '../losses.ts';
import { TrainStep } from '../train-step.ts';

export interface StepMemoryCase {
  readonly lora: boolean;
  readonly config: LlamaConfig;
  readonly rows: number;
  readonly time: number;
  /** Tokens that are learned. */
  readonly targets: number;
  /** Parts that a step is made in. Default: 1. */
  readonly microBatches?: number;
}

export interface StepMemoryFigures {
  readonly predicted: number;
  readonly measured: number;
  readonly peak: number;
  readonly losses: readonly number[];
}

const { lora, config, rows, time, targets, microBatches = 1 } = JSON.parse(process.argv[2]!) as StepMemoryCase;
const base = initLanguageModel(config, Random.seeded(1));
const own: LoraConfig = {
  kind: 'lora',
  rank: 8,
  alpha: 16,
  rankStabilized: false,
  dropout: 0,
  targets: ['all-linear'],
};
const parameters = initLora(own, decoderParameters(config, { kind: 'language' }), Random.seeded(2));
const plan = trainingPlan(base, config, lora ? { config: own, parameters } : undefined);
const grid = (value: (i: number) => number) =>
  ints(
    [rows, time],
    Int32Array.from({ length: rows * time }, (_, i) => value(i)),
  );
const list = (value: (i: number) => number) =>
  ints(
    [targets],
    Int32Array.from({ length: targets }, (_, i) => value(i)),
  );
const batch: PredictionBatch = {
  ids: grid((i) => i % config.vocabularySize),
  positions: grid((i) => i % time),
  segments: grid(() => 0),
  branches: grid(() => 0),
  at: list((i) => i),
  targets: list((i) => (7 * i) % config.vocabularySize),
  weights: floats([targets], new Float32Array(targets).fill(1 / targets)),
};
const mib = 2 ** 20;
const step = new TrainStep<ModelWeights, PredictionBatch, ModelWeights>(
  plan.parameters,
  (learned, given, frozen) => {
    const { weights, prefix } = plan.read(learned, frozen);
    return predictionLoss(predictionsAt(weights, config, { ...given, prefix }, given.at), given.targets, given.weights);
  },
  { name: 'fine-tuning', optimizer: adapterOptimizer({ clipNorm: 1, weightDecay: 0 }), frozen: plan.frozen },
);
const before = process.memoryUsage().rss / mib;
const losses: number[] = [];
for (let n = 0; n < 3; n++)
  losses.push((await step.run(microBatches === 1 ? batch : predictionParts(batch, microBatches), 1e-3)).loss);
const peak = process.resourceUsage().maxRSS / 1024;
const figures: StepMemoryFigures = { predicted: step.memory!.needed / mib, measured: peak - before, peak, losses };
await step.dispose();
process.stdout.write(`${JSON.stringify(figures)}\n`);
