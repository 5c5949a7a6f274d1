/** A real policy with a random model of some thousand parameters, `chat`, whose answers end by their length. */
import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBus } from '@crucible/bus';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel, type ModelWeights } from '@crucible/nn';
import { createPolicyService } from '@crucible/policy';
import type { Logger } from '@crucible/service';
import { floats, type NdArray } from '@crucible/tensor';
import { tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';

const contextLength = 2048;
const end = 1;

export interface TinyPolicy {
  readonly target: string;
  readonly tokenizer: Tokenizer;
  readonly close: () => Promise<void>;
}

export async function startTinyPolicy(log: Logger): Promise<TinyPolicy> {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-tiny-policy-'));
  const tokenizer = await trainBpe(['the iron is hot, and so is the forge. '.repeat(20)], { vocabSize: 290 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: contextLength };
  const random = Random.seeded(1);
  const weights = initLanguageModel(config, random);
  const lm_head = { weight: headWithoutEnd(weights, config, random) };
  const registry = new ModelRegistry(folder);
  const card = { name: 'chat', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  await registry.publish(card, (path) => {
    saveModel(path, { kind: 'language', config, weights: { ...weights, lm_head } }, { bos: 0, eos: [end], pad: end });
    saveTokenizer(tokenizer, path);
  });
  const bus = await createBus('embedded:');
  const policy = await createPolicyService({ log, host: '127.0.0.1', port: 0, bus, source: registry });
  return {
    target: policy.target,
    tokenizer,
    close: async () => {
      await policy.close(0);
      await bus.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A head that never draws the end token, at any temperature: it alone sees a large number that all embeddings share. */
function headWithoutEnd(weights: ModelWeights, { vocabularySize, hiddenSize }: DecoderConfig, random: Random): NdArray {
  const { embed_tokens } = weights['model'] as { readonly embed_tokens: { readonly weight: NdArray } };
  const embeddings = embed_tokens.weight.data as Float32Array;
  const head = Float32Array.from({ length: vocabularySize * hiddenSize }, () => random.normal() * 0.7);
  for (let token = 0; token < vocabularySize; token++) {
    embeddings[token * hiddenSize] = 6;
    head[token * hiddenSize] = token === end ? -50 : 0;
  }
  return floats([vocabularySize, hiddenSize], head);
}
