import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { SequenceEncoder } from '@crucible/inference';
import { type BertConfig, initEncoder } from '@crucible/nn';
import { saveTokenizer, trainWordPiece } from '@crucible/tokenizer';
import { temporaryFolder } from '@crucible/testing';
import { EncoderEmbedder } from './encoder-embedder.ts';
import { loadEmbedder } from './load-embedder.ts';

const config: BertConfig = {
  family: 'bert',
  vocabularySize: 60,
  hiddenSize: 12,
  intermediateSize: 20,
  layers: 1,
  heads: 2,
  maxPositions: 16,
  tokenTypes: 2,
  layerNormEpsilon: 1e-5,
  activation: 'gelu',
};
const pooling = { mode: 'mean', normalize: false } as const;

test('a folder of a Hugging Face encoder gives unit vectors, the same after it was kept, and cuts long texts', async () => {
  const folder = temporaryFolder();
  const text = 'the lamp is lit at night and the horn sounds in fog';
  const tokenizer = await trainWordPiece([text, text], { vocabSize: 60 });
  const weights = initEncoder(config, { kind: 'embedding' }, Random.seeded(1));
  saveModel(folder, { kind: 'embedding', config, weights, pooling }, { pad: 0, bos: 2, eos: [3] });
  saveTokenizer(tokenizer, folder);

  const embedder = EncoderEmbedder.load(folder);
  onTestFinished(() => embedder.dispose());
  const [vector, long, same] = await embedder.embed(
    [text.slice(0, 12), `${text} `.repeat(50), text.slice(0, 12)],
    'passage',
  );
  const { ids } = tokenizer.tokenize(text.slice(0, 12));
  const encoder = new SequenceEncoder(weights, config, { kind: 'embedding', pooling });
  const [expected] = await encoder.encode([{ ids }]);
  await encoder.dispose();
  const length = Math.hypot(...expected!);
  expect(vector).toBeAllClose(
    [...expected!].map((value) => value / length),
    { atol: 1e-5 },
  );
  expect(same).toBeAllClose(vector!, { atol: 1e-6 });
  expect(Math.hypot(...long!)).toBeCloseTo(1, 5);

  const kept = loadEmbedder(
    embedder.withFit({ denseWeight: 0.3, fitModel: { bias: 0, coverage: 1, similarity: 1 } }).serialize(),
  );
  onTestFinished(() => kept.dispose());
  expect([kept.version, kept.dimensions, kept.fit?.denseWeight]).toEqual([embedder.version, 12, 0.3]);

  const path = join(folder, 'model.safetensors');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const other = EncoderEmbedder.load(folder);
  onTestFinished(() => other.dispose());
  expect(other.version).not.toBe(embedder.version);
});
