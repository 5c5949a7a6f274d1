/** Adapters in the registry: taken in, merged into the weights of models, and taken out of them again. */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { loraMerger } from '@crucible/nn';
import { adapterConfigFile, adapterWeightsFile, isAdapterFolder } from './adapter-files.ts';
import { copyCompanions, copyFiles } from './model-files.ts';
import { openModelWeights, parametersOf, saveModelFrom } from './model-folder.ts';
import type { ModelRegistry, ModelVersion, NewModel } from './model-registry.ts';
import { loadAdapter } from './peft-folder.ts';
import { loadSpecialTokenIds } from './special-token-ids.ts';

const fresh = { step: 0, finished: true, metrics: {} } as const;

export interface ImportAdapterOptions {
  /** Name in the registry. */
  readonly name: string;
  /** The model that it belongs to. */
  readonly base: ModelVersion;
  /** Where the folder came from, for its card. */
  readonly origin: string;
}

/** Checks a folder of PEFT against the model and publishes a copy of it, with the model's tokenizer where it brings none. */
export async function importAdapter(
  registry: ModelRegistry,
  folder: string,
  { name, base, origin }: ImportAdapterOptions,
): Promise<ModelVersion> {
  if (!isAdapterFolder(folder)) {
    throw new CrucibleError('not-found', `${folder} is no folder of an adapter: it has no ${adapterConfigFile}`, {
      at: folder,
    });
  }
  {
    using opened = openModelWeights(base.folder);
    loadAdapter(folder, opened.model);
  }
  const card: NewModel = { name, stage: 'import', kind: 'adapter', ...fresh, parent: referenceOf(base), origin };
  return registry.publish(card, (temporary) => {
    copyCompanions(base.folder, temporary);
    copyCompanions(folder, temporary);
    copyFiles(folder, temporary, [adapterConfigFile, adapterWeightsFile]);
  });
}

/** Publishes the model whose weights contain the adapter. */
export function mergeAdapter(
  registry: ModelRegistry,
  { adapter, base, name }: { readonly adapter: ModelVersion; readonly base: ModelVersion; readonly name: string },
): Promise<ModelVersion> {
  if (adapter.kind !== 'adapter') throw invalidInput(`${referenceOf(adapter)} is no adapter`, { at: 'adapter' });
  if (base.merged) {
    throw invalidInput(
      `${referenceOf(base)} contains ${base.merged.adapter} already, and one alone is kept record of`,
      {
        at: 'base',
      },
    );
  }
  const merged = { adapter: referenceOf(adapter), sha256: adapter.sha256 };
  return publishChanged(registry, { from: base, adapter, sign: 1 }, { name, stage: 'merge', merged });
}

/** Publishes the model as it was before the adapter that its card names was merged into it, up to rounding. */
export function unmergeAdapter(
  registry: ModelRegistry,
  { model, name }: { readonly model: ModelVersion; readonly name: string },
): Promise<ModelVersion> {
  const { merged } = model;
  if (!merged) throw invalidInput(`${referenceOf(model)} has no record of a merged adapter`, { at: 'model' });
  const adapter = registry.resolve(merged.adapter);
  if (adapter.sha256 !== merged.sha256) {
    throw new CrucibleError(
      'failed-precondition',
      `${merged.adapter} is not what was merged: its digest is ${adapter.sha256}, recorded is ${merged.sha256}`,
      { at: 'model' },
    );
  }
  return publishChanged(registry, { from: model, adapter, sign: -1 }, { name, stage: 'unmerge' });
}

interface Change {
  readonly from: ModelVersion;
  readonly adapter: ModelVersion;
  readonly sign: 1 | -1;
}

async function publishChanged(
  registry: ModelRegistry,
  { from, adapter, sign }: Change,
  made: Pick<NewModel, 'name' | 'stage' | 'merged'>,
): Promise<ModelVersion> {
  using opened = openModelWeights(from.folder);
  const { model } = opened;
  const { config, parameters } = loadAdapter(adapter.folder, model);
  if (config.kind !== 'lora') {
    throw invalidInput(`${referenceOf(adapter)}: a ${config.kind} is no part of the weights and cannot be merged`, {
      at: 'adapter',
    });
  }
  const change = loraMerger(parameters, config, parametersOf(model), sign);
  // One after the other: the whole model is never in memory.
  const tensors = opened.tensors.map((tensor) => ({ ...tensor, read: () => change(tensor.name, tensor.read()) }));
  const { origin } = from;
  const card: NewModel = {
    ...made,
    kind: model.kind,
    ...fresh,
    parent: referenceOf(from),
    ...(origin !== undefined && { origin }),
  };
  // Awaited: the files stay open until they are copied.
  return await registry.publish(card, (folder) => {
    saveModelFrom(folder, model, tensors, loadSpecialTokenIds(from.folder));
    copyCompanions(from.folder, folder);
    // What it learned with, a chat template among it.
    if (sign === 1) copyCompanions(adapter.folder, folder);
  });
}

function referenceOf({ name, version }: Pick<ModelVersion, 'name' | 'version'>): string {
  return `${name}@${version}`;
}
