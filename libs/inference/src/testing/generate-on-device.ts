/**
 * Answers the same requests on a device and writes what came of it as JSON. A process of its own: WebGPU has one owner a
 * process.
 *
 *     node generate-on-device.ts DEVICE
 */
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel } from '@crucible/nn';
import { DeviceArray, type DeviceChoice } from '@crucible/tensor';
import { GenerationEngine } from '../generation-engine.ts';
import type { Generation, GenerationRequest } from '../generation.ts';
import { blockHeight, packSequences } from '../packing.ts';
import { LogProbabilityScorer } from '../scorers.ts';

export interface GeneratedOnDevice {
  readonly answers: readonly Generation[];
  /** Of the log-probability scorer. */
  readonly scores: readonly number[];
  /** Arrays on the device when all is disposed of. */
  readonly liveAtEnd: number;
}

const config: DecoderConfig = {
  family: 'llama',
  vocabularySize: 29,
  hiddenSize: 16,
  intermediateSize: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  maxPositions: 96,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: false,
};

/** Rows of different lengths that come and go, more of them than are decoded at once, past a growth of the cache. */
function requests(): GenerationRequest[] {
  const random = Random.seeded(5);
  return Array.from({ length: 7 }, (_, i) => ({
    prompt: Array.from({ length: 2 + 3 * i }, () => random.integer(0, config.vocabularySize - 1)),
    maxTokens: i === 3 ? 60 : 3 + 2 * i,
    sampling: { temperature: i % 2, seed: i, ...(i === 4 && { topK: 5 }) },
  }));
}

async function generate(device: DeviceChoice): Promise<GeneratedOnDevice> {
  const engine = new GenerationEngine({ maxBatch: 4, device });
  const answers: Generation[] = [];
  for (const version of [1, 2]) {
    const weights = initLanguageModel(config, Random.seeded(version));
    engine.setModel({ weights, config, version });
    answers.push(...(await engine.generateAll(requests())));
  }
  await engine.dispose();

  const weights = initLanguageModel(config, Random.seeded(1));
  const scorer = new LogProbabilityScorer(weights, config, { device });
  const sequences = requests().map(({ prompt }) => prompt);
  const { packed, places } = packSequences(sequences, { time: 32, pad: 0, rowMultiple: blockHeight(32) });
  const at = places.flatMap((place) => Array.from(place.slice(0, -1)));
  const targets = sequences.flatMap((sequence) => sequence.slice(1));
  const scores = await scorer.score(weights, packed, at, targets, 0.7);
  await scorer.dispose();
  return { answers, scores: Array.from(scores), liveAtEnd: DeviceArray.live };
}

process.stdout.write(JSON.stringify(await generate(process.argv[2] as DeviceChoice)));
