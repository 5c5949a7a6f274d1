/**
 * Answers the same requests on a device and writes what came of it as JSON. A process of its own: WebGPU has one owner a
 * process.
 *
 *     node generate-on-device.ts DEVICE
 */
import { Random } from '@crucible/foundation';
import {
  type DecoderConfig,
  decoderParameters,
  initLanguageModel,
  initLora,
  type LoraConfig,
  type ParameterTree,
} from '@crucible/nn';
import { DeviceArray, type DeviceChoice, floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import { GenerationEngine } from '../generation-engine.ts';
import type { Generation, GenerationRequest } from '../generation.ts';
import { blockHeight, packSequences } from '../packing.ts';
import { LogProbabilityScorer } from '../scorers.ts';
import { prepareAdapters, type ServedAdapter } from '../served-adapters.ts';

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

function drawn(tree: ParameterTree<NdArray>, seed: number): ParameterTree<NdArray> {
  const random = Random.seeded(seed);
  const fill = ({ shape, data }: NdArray): NdArray =>
    floats(
      shape,
      Array.from(data, () => random.normal() / 2),
    );
  return mapTree(tree, isNdArray, fill) as ParameterTree<NdArray>;
}

function lowRank(): ServedAdapter {
  const own: LoraConfig = {
    kind: 'lora',
    rank: 3,
    alpha: 2,
    rankStabilized: false,
    dropout: 0,
    targets: ['q_proj', 'down_proj'],
  };
  const parameters = initLora(own, decoderParameters(config, { kind: 'language' }), Random.seeded(1));
  return { name: 'low rank', version: 1, config: own, parameters: drawn(parameters, 11) };
}

function virtualTokens(): ServedAdapter {
  const [tokens, width] = [5, config.layers * 2 * config.keyValueHeads * 4];
  const parameters = { prompt_embeddings: floats([tokens, width], new Float32Array(tokens * width)) };
  return { name: 'virtual tokens', version: 1, config: { kind: 'prefix', tokens }, parameters: drawn(parameters, 12) };
}

async function generate(device: DeviceChoice): Promise<GeneratedOnDevice> {
  const engine = new GenerationEngine({ maxBatch: 4, device });
  const answers: Generation[] = [];
  for (const version of [1, 2]) {
    const weights = initLanguageModel(config, Random.seeded(version));
    engine.setModel({ weights, config, version });
    answers.push(...(await engine.generateAll(requests())));
  }
  const weights = initLanguageModel(config, Random.seeded(1));
  const adapters = await prepareAdapters([lowRank(), virtualTokens()], { weights, config });
  engine.setModel({ weights, config, version: 3, adapters });
  const names = [undefined, 'low rank', 'virtual tokens'];
  const adapted = requests().map((request, i) => {
    const adapter = names[i % 3];
    return { ...request, maxTokens: Math.min(request.maxTokens ?? 9, 9), ...(adapter !== undefined && { adapter }) };
  });
  answers.push(...(await engine.generateAll(adapted)));
  await engine.dispose();

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
