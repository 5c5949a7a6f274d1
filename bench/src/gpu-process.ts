/**
 * One measurement of `gpu`, in a process of its own: a device has one owner a process, and memory is counted by process.
 *
 *     node gpu-process.ts train | decode DEVICE PRECISION SHAPE
 *
 * SHAPE is a GpuShape as JSON. Writes a GpuMeasurement as JSON.
 */
import { createOptimizer } from '@crucible/optim';
import { GenerationEngine } from '@crucible/inference';
import { decoderParameters, type DecoderConfig, type ModelWeights } from '@crucible/nn';
import {
  type DeviceChoice,
  floats,
  type IntArray,
  ints,
  type Precision,
  sizeOf,
  treeFromPaths,
} from '@crucible/tensor';
import { meanPredictionLoss, TrainStep } from '@crucible/training';
import { execFileSync } from 'node:child_process';
import type { GpuMeasurement, GpuShape } from './gpu.ts';
import { medianOf } from './median.ts';

const [mode, device, precision, given] = process.argv.slice(2) as [string, DeviceChoice, Precision, string];
const shape = JSON.parse(given) as GpuShape;

const config: DecoderConfig = {
  family: 'gpt2',
  vocabularySize: shape.vocabulary,
  hiddenSize: shape.width,
  intermediateSize: 4 * shape.width,
  layers: shape.layers,
  heads: shape.heads,
  keyValueHeads: shape.heads,
  maxPositions: 1024,
  layerNormEpsilon: 1e-5,
  activation: 'gelu_new',
  tieEmbeddings: true,
};

/** Speed does not depend on what the weights are: numbers of about their size, made quickly. */
function someWeights(): ModelWeights {
  const specs = [...decoderParameters(config, { kind: 'language' })];
  const leaves = new Map(
    specs.map(({ path, shape: size, role }) => {
      const data = new Float32Array(sizeOf(size));
      if (role === 'norm') data.fill(1);
      else if (role !== 'bias')
        for (let i = 0; i < data.length; i++) data[i] = (((i * 40503) % 65536) / 32768 - 1) * 0.03;
      return [path, floats(size, data)] as const;
    }),
  );
  return treeFromPaths(leaves) as ModelWeights;
}

function tokens(rows: number, time: number, shift: number): IntArray {
  return ints(
    [rows, time],
    Int32Array.from({ length: rows * time }, (_, i) => ((i + shift) * 7919) % shape.vocabulary),
  );
}

async function train(): Promise<GpuMeasurement> {
  const { batch, time, steps } = shape;
  const training = new TrainStep<ModelWeights, Readonly<Record<'ids' | 'targets', IntArray>>>(
    someWeights(),
    (parameters, symbols) => ({ loss: meanPredictionLoss(parameters, config, symbols) }),
    { name: 'gpu', optimizer: createOptimizer({ adamW: { beta2: 0.95, weightDecay: 0.1 } }), device, precision },
  );
  const data = { ids: tokens(batch, time, 0), targets: tokens(batch, time, 1) };
  const seconds: number[] = [];
  const losses: number[] = [];
  for (let i = 0; i < steps + 2; i++) {
    const start = performance.now();
    losses.push((await training.run(data, 3e-4)).loss);
    seconds.push((performance.now() - start) / 1000);
  }
  const memoryMiB = memoryOfProcess();
  await training.dispose();
  return {
    tokensPerSecond: (batch * time) / medianOf(seconds.slice(2)),
    firstSeconds: seconds[0]!,
    memoryMiB,
    losses: [losses[0]!, losses.at(-1)!],
  };
}

async function decode(): Promise<GpuMeasurement> {
  const { rows, prompt, answer } = shape;
  const engine = new GenerationEngine({ maxBatch: rows, device });
  engine.setModel({ weights: someWeights(), config, version: 1 });
  const run = async (maxTokens: number): Promise<number> => {
    const start = performance.now();
    await engine.generateAll(
      Array.from({ length: rows }, (_, row) => ({
        prompt: Array.from(tokens(1, prompt, row).data),
        maxTokens,
        sampling: { temperature: 0 },
      })),
    );
    return (performance.now() - start) / 1000;
  };
  const firstSeconds = await run(answer);
  // What reading the prompts takes is left out.
  const [short, long] = [await run(1), await run(answer)];
  const memoryMiB = memoryOfProcess();
  await engine.dispose();
  return { tokensPerSecond: (rows * (answer - 1)) / (long - short), firstSeconds, memoryMiB, losses: [] };
}

/** Of the card's memory, as its driver counts it; null without NVIDIA's tool. */
function memoryOfProcess(): number | null {
  try {
    const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
    const used = Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' }).split('\n')[0]);
    return Number.isFinite(used) ? used : null;
  } catch {
    return null;
  }
}

const measured = mode === 'train' ? await train() : await decode();
process.stdout.write(JSON.stringify(measured));
