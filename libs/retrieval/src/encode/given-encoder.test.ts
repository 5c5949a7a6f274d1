import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { EncoderEmbedder } from '../embed/encoder-embedder.ts';
import { loadEmbedder } from '../embed/load-embedder.ts';
import { Reranker } from '../rerank/reranker.ts';
import { GivenEncoder } from './given-encoder.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/encoders');

interface Vectors {
  readonly passages: readonly number[][];
  readonly query: readonly number[];
}

/** What sentence-transformers makes of the same folders: see fixtures/make_encoders.py. */
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as {
  readonly texts: readonly string[];
  readonly query: string;
  readonly minilm: Vectors;
  readonly roberta: Vectors;
  /** Of the query with each text, and of the third text with itself: both are cut. */
  readonly cross: readonly number[];
};
const { texts, query } = expected;

function copy(name: string): string {
  const folder = temporaryFolder();
  cpSync(join(fixtures, name), folder, { recursive: true });
  return folder;
}

async function embedder(path: string): Promise<EncoderEmbedder> {
  const loaded = await EncoderEmbedder.load(path);
  onTestFinished(() => loaded.dispose());
  return loaded;
}

describe('vectors are those of sentence-transformers', () => {
  test.each([
    ['a BERT that takes means, with prompts, cut at 24 tokens', 'minilm', 'minilm'],
    ['a RoBERTa that takes the first token', 'roberta', 'roberta'],
    ['the same BERT in an ONNX file', 'minilm-onnx', 'minilm'],
    ['the ONNX file itself', 'minilm-onnx/onnx/model.onnx', 'minilm'],
    ['the same RoBERTa in an ONNX file', 'roberta-onnx', 'roberta'],
  ] as const)('of %s', async (_what, path, name) => {
    const own = await embedder(join(fixtures, path));
    expect(own.dimensions).toBe(12);
    const { passages, query: asked } = expected[name];
    const vectors = await own.embed(texts, 'passage');
    vectors.forEach((vector, i) => expect(vector).toBeAllClose(passages[i]!, { atol: 2e-5 }));
    expect((await own.embed([query], 'query'))[0]).toBeAllClose(asked, { atol: 2e-5 });
  });

  test('after they were kept, and other vectors have another version', async () => {
    const folder = copy('minilm');
    const first = await embedder(folder);
    const fit = { denseWeight: 0.3, fitModel: { bias: 0, coverage: 1, similarity: 1 } };
    const kept = await loadEmbedder(first.withFit(fit).serialize());
    onTestFinished(() => kept.dispose());
    expect([kept.version, kept.dimensions, kept.fit]).toEqual([first.version, 12, fit]);
    expect(await kept.embed(texts, 'passage')).toEqual(await first.embed(texts, 'passage'));
    expect((await embedder(copy('minilm-onnx'))).version).not.toBe(first.version);
    const path = join(folder, 'model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect((await embedder(folder)).version).not.toBe(first.version);
  });
});

test.each(['cross', 'cross-onnx', 'cross-onnx/model.onnx'])(
  'scores of pairs are those of the CrossEncoder of sentence-transformers: %s',
  async (path) => {
    const reranker = await Reranker.load(join(fixtures, path));
    onTestFinished(() => reranker.dispose());
    const scores = [...(await reranker.score(query, texts)), ...(await reranker.score(texts[2]!, [texts[2]!]))];
    expect(scores).toBeAllClose(expected.cross, { atol: 2e-5 });
    const kept = await Reranker.parse(reranker.withFit({ depth: 20, weight: 0.5 }).serialize());
    onTestFinished(() => kept.dispose());
    expect([kept.version, kept.fit]).toEqual([reranker.version, { depth: 20, weight: 0.5 }]);
  },
);

describe('is refused by name:', () => {
  const emptied = (name: string, change: (folder: string) => void): string => {
    const folder = copy(name);
    change(folder);
    return folder;
  };
  test.each<[string, 'embedding' | 'scores', () => string, RegExp]>([
    ['nothing', 'embedding', () => join(fixtures, 'none'), /none does not exist$/],
    ['an empty folder', 'embedding', () => temporaryFolder(), /config\.json/],
    [
      'an ONNX file that is none',
      'embedding',
      () => emptied('minilm-onnx', (folder) => writeFileSync(join(folder, 'onnx/model.onnx'), 'hello')),
      /model\.onnx: ONNX Runtime refuses it: /,
    ],
    [
      'half an ONNX file',
      'embedding',
      () =>
        emptied('roberta-onnx', (folder) => {
          const path = join(folder, 'model.onnx');
          writeFileSync(path, readFileSync(path).subarray(0, 30_000));
        }),
      /model\.onnx: ONNX Runtime refuses it: /,
    ],
    [
      'an ONNX file without a tokenizer',
      'embedding',
      () => emptied('roberta-onnx', (folder) => rmSync(join(folder, 'tokenizer.json'))),
      /model\.onnx: there is no tokenizer\.json beside it or in the folder above it$/,
    ],
    [
      'a cross-encoder as an embedder of ONNX',
      'embedding',
      () => join(fixtures, 'cross-onnx'),
      /model\.onnx: it gives logits; sentence_embedding or last_hidden_state or token_embeddings is needed$/,
    ],
    [
      'an embedder as a cross-encoder',
      'scores',
      () => join(fixtures, 'minilm'),
      /minilm: it holds a model of the kind embedding; an encoder with one score for a pair of texts is needed$/,
    ],
    [
      'an embedder of ONNX as a cross-encoder',
      'scores',
      () => join(fixtures, 'minilm-onnx'),
      /model\.onnx: it gives last_hidden_state; logits is needed$/,
    ],
    [
      'a folder of other things',
      'embedding',
      () => {
        const folder = temporaryFolder();
        mkdirSync(join(folder, 'onnx'));
        writeFileSync(join(folder, 'config.json'), '{"model_type": "vit"}');
        return folder;
      },
      /config\.json: .*"vit"/,
    ],
  ])('%s', async (_what, purpose, path, message) => {
    const error: unknown = await GivenEncoder.open(path(), purpose).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'CrucibleError' });
    expect((error as Error).message).toMatch(message);
  });
});

test("a tokenizer that is another model's is told when its tokens are beyond the ONNX file", async () => {
  const folder = copy('minilm-onnx');
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(fixtures, 'roberta', name), join(folder, name));
  const own = await embedder(folder);
  await expect(own.embed(texts, 'passage')).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringMatching(/model\.onnx: it fails: /) as string,
  });
});
