/**
 * Trains a tiny GPT-2 on a device and on the CPU and writes what came of it as JSON. A process of its own: WebGPU has one
 * owner a process.
 *
 *     node train-on-device.ts DEVICE
 */
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel, type ModelWeights } from '@crucible/nn';
import { createOptimizer } from '@crucible/optim';
import { type DeviceChoice, DeviceArray, flatten, type IntArray, ints, isNdArray, mul } from '@crucible/tensor';
import { meanPredictionLoss } from '../bits-per-byte.ts';
import { type StepResult, TrainStep } from '../train-step.ts';

export interface TrainedOnDevice {
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** Parameters and moments on the host, by path. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  /** Arrays on the device after each step, and after all is disposed of. */
  readonly live: readonly number[];
  readonly liveAtEnd: number;
}

const steps = 6;
const rows = 4;
const time = 12;

const config: DecoderConfig = {
  family: 'gpt2',
  vocabularySize: 37,
  hiddenSize: 16,
  intermediateSize: 32,
  layers: 2,
  heads: 2,
  keyValueHeads: 2,
  maxPositions: 16,
  layerNormEpsilon: 1e-5,
  activation: 'gelu_new',
  tieEmbeddings: true,
};

type TokenBatch = Readonly<Record<'ids' | 'targets', IntArray>>;

/** Some rows of a text that repeats itself. */
function batchOf(from: number, to: number): TokenBatch {
  const tokens = (shift: number): IntArray =>
    ints(
      [to - from, time],
      Array.from({ length: (to - from) * time }, (_, i) => (from * time + i + shift) ** 2 % config.vocabularySize),
    );
  return { ids: tokens(0), targets: tokens(1) };
}

async function train(device: DeviceChoice, parts: 1 | 2): Promise<TrainedOnDevice> {
  const weights = initLanguageModel(config, Random.seeded(3));
  const training = new TrainStep<ModelWeights, TokenBatch>(
    weights,
    (parameters, batch) => ({ loss: mul(meanPredictionLoss(parameters, config, batch), 1 / parts) }),
    { name: 'tiny', optimizer: createOptimizer({ adamW: { weightDecay: 0.1 } }), device },
  );
  const results: StepResult[] = [];
  const live: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = parts === 1 ? batchOf(0, rows) : [batchOf(0, rows / 2), batchOf(rows / 2, rows)];
    results.push(await training.run(batch, 0.01));
    live.push(DeviceArray.live);
  }
  const values = flatten(await training.onHost(), isNdArray).map(({ path, leaf }) => [path, Array.from(leaf.data)]);
  await training.dispose();
  return {
    losses: results.map(({ loss }) => loss),
    gradientNorms: results.map(({ gradientNorm }) => gradientNorm),
    values: Object.fromEntries(values) as Record<string, number[]>,
    live,
    liveAtEnd: DeviceArray.live,
  };
}

const outcome: TrainedOnDevice[] = [];
for (const parts of [1, 2] as const) outcome.push(await train(process.argv[2] as DeviceChoice, parts));
process.stdout.write(JSON.stringify(outcome));
