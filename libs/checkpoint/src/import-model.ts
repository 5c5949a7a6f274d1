/** A folder of Hugging Face's layout as a model of the registry. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { loadTokenizer } from '@crucible/tokenizer';
import { copyModelFiles } from './model-files.ts';
import { openModelWeights } from './model-folder.ts';
import type { ModelRegistry, ModelVersion } from './model-registry.ts';

export interface ImportOptions {
  /** Name in the registry. */
  readonly name: string;
  /** Where the folder came from, for its card. */
  readonly origin: string;
}

/** Checks a folder, all but the values of its weights, and publishes a copy of it. */
export async function importModel(
  registry: ModelRegistry,
  folder: string,
  { name, origin }: ImportOptions,
): Promise<ModelVersion> {
  if (!existsSync(join(folder, 'config.json'))) {
    throw new CrucibleError('not-found', `${folder} is no folder of a model: it has no config.json`, { at: folder });
  }
  using opened = openModelWeights(folder);
  const { kind, config } = opened.model;
  const { vocabSize } = loadTokenizer(folder);
  if (vocabSize > config.vocabularySize) {
    const path = join(folder, 'tokenizer.json');
    throw invalidInput(`${path}: it has ${vocabSize} tokens, and the model ${config.vocabularySize} embeddings`, {
      at: path,
    });
  }
  const card = { name, stage: 'import', kind, step: 0, finished: true, metrics: {}, origin };
  // Awaited: the files stay open until they are copied.
  return await registry.publish(card, (temporary) => copyModelFiles(folder, temporary));
}
