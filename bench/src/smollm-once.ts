/**
 * `node smollm-once.ts forward|lora BATCH STEPS`: the forward pass with its loss, or one step of LoRA, of SmolLM2-135M's
 * shape over rows of 512 tokens. Prints the median of the steps and the peak of the process's memory as JSON.
 */
import { Random } from '@crucible/foundation';
import { initLanguageModel, type ModelWeights } from '@crucible/nn';
import { compile, type IntArray, ints, mul } from '@crucible/tensor';
import { adapterOptimizer, meanPredictionLoss, newAdapter, TrainStep, trainingPlan } from '@crucible/training';
import { medianOf } from './median.ts';
import { smolLm, time } from './smollm.ts';

const [mode, batch, steps] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const random = Random.seeded(1);
const head = { kind: 'language' } as const;
const weights = initLanguageModel(smolLm, random);
const tokens = (): IntArray =>
  ints(
    [batch, time],
    Int32Array.from({ length: batch * time }, () => random.integer(0, smolLm.vocabularySize - 1)),
  );
const data = { ids: tokens(), targets: tokens() };

const { run, dispose } = mode === 'forward' ? await forward() : await lora();
const seconds: number[] = [];
for (let step = 0; step <= steps; step++) {
  const start = performance.now();
  await run();
  if (step > 0) seconds.push((performance.now() - start) / 1000);
}
await dispose();
process.stdout.write(
  JSON.stringify({
    tokensPerSecond: (batch * time) / medianOf(seconds),
    peakMemoryMb: process.resourceUsage().maxRSS / 1024,
  }),
);

interface Runner {
  readonly run: () => Promise<unknown>;
  readonly dispose: () => Promise<void>;
}

async function forward(): Promise<Runner> {
  const program = await compile({ weights, data }, (given) => ({
    loss: meanPredictionLoss(given.weights, smolLm, given.data),
  }));
  return { run: () => program.run({ weights, data }), dispose: () => program.dispose() };
}

/** Rank 8 beside every matrix of the layers, AdamW; a row at a time, as the stages do with models of this size. */
async function lora(): Promise<Runner> {
  const settings = {
    kind: 'lora',
    rank: 8,
    alpha: 16,
    targets: 'all-linear',
    dropout: 0,
    rankStabilized: false,
  } as const;
  const unused = { tokens: 0, start: 'random', text: '', reparametrization: 'none', width: 128 } as const;
  const adapter = await newAdapter(
    { ...settings, ...unused },
    { base: weights, config: smolLm, head, seed: 1, encode: () => [] },
  );
  const plan = trainingPlan(weights, smolLm, adapter);
  const training = new TrainStep<ModelWeights, typeof data, ModelWeights>(
    plan.parameters,
    (parameters, { ids, targets }, frozen) => ({
      loss: mul(meanPredictionLoss(plan.read(parameters, frozen).weights, smolLm, { ids, targets }), 1 / batch),
    }),
    {
      name: 'smollm-step',
      optimizer: adapterOptimizer({ clipNorm: Infinity, weightDecay: 0.01 }),
      frozen: plan.frozen,
      microBatches: batch,
    },
  );
  return { run: () => training.run(data, 1e-4), dispose: () => training.dispose() };
}
