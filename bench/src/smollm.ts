/** The shape of SmolLM2-135M, with random weights. */
import type { LlamaConfig } from '@crucible/nn';

export const smolLm: LlamaConfig = {
  family: 'llama',
  vocabularySize: 49_152,
  hiddenSize: 576,
  intermediateSize: 1536,
  layers: 30,
  heads: 9,
  keyValueHeads: 3,
  maxPositions: 8192,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 100_000,
  tieEmbeddings: true,
};

export const time = 512;
