import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CrucibleError } from '@crucible/foundation';
import type { ModelDescription, ModelSource } from '../model-source.ts';

export interface ExampleSource extends ModelSource {
  /** Adds a version of a model whose weights are `weights`; gives the folder. */
  readonly add: (
    name: string,
    version: number,
    weights: string | number,
    more?: Partial<ModelDescription>,
  ) => ModelDescription;
}

/** Models in folders `NAME/VERSION`, in the simplest way. */
export function exampleSource(root: string): ExampleSource {
  const open = (uri: string): ModelDescription => {
    const card = join(uri.startsWith('file:') ? fileURLToPath(uri) : uri, 'card.json');
    if (!existsSync(card)) {
      throw new CrucibleError('not-found', `${uri} is no folder of a model`, { at: 'uri' });
    }
    return JSON.parse(readFileSync(card, 'utf8')) as ModelDescription;
  };
  return {
    names: () => readdirSync(root).sort(),
    resolve: (name) => open(join(root, name, readdirSync(join(root, name)).sort().at(-1)!)),
    open,
    add: (name, version, weights, more = {}) => {
      const folder = join(root, name, String(version));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'model.safetensors'), String(weights));
      const model: ModelDescription = {
        name,
        version,
        stage: 'sft',
        kind: 'language',
        folder,
        uri: pathToFileURL(folder).href,
        sha256: createHash('sha256').update(String(weights)).digest('hex'),
        tokenizerSha256: 'f00d',
        createdAt: new Date(Date.UTC(2026, 0, version)).toISOString(),
        ...more,
      };
      writeFileSync(join(folder, 'card.json'), JSON.stringify(model));
      return model;
    },
  };
}
