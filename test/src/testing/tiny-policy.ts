/** A real policy with a random model of some thousand parameters, `chat`, whose answers end by their length. */
import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBus } from '@crucible/bus';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { createPolicyService } from '@crucible/policy';
import type { Logger } from '@crucible/service';
import { floats } from '@crucible/tensor';
import { tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, type Tokenizer, trainBpe } from '@crucible/tokenizer';

const contextLength = 2048;

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
  const head = Float32Array.from({ length: config.vocabularySize * config.hiddenSize }, () => random.normal() * 0.5);
  const registry = new ModelRegistry(folder);
  const card = { name: 'chat', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  await registry.publish(card, (path) => {
    const lm_head = { weight: floats([config.vocabularySize, config.hiddenSize], head) };
    // The end token is one that this model hardly ever draws: answers end by their length or by a stop string.
    saveModel(path, { kind: 'language', config, weights: { ...weights, lm_head } }, { bos: 0, eos: [1], pad: 1 });
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
