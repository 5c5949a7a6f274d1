/** A model of the registry as a folder for others: as transformers writes it, in the precision and the files one wants. */
import { copyCompanions } from './model-files.ts';
import { openModelWeights, saveModelFrom } from './model-folder.ts';
import { loadSpecialTokenIds } from './special-token-ids.ts';
import type { WriteWeightsOptions } from './weight-files.ts';

/** Writes the model of `folder` into the existing folder `to`; tensors are read and written one by one. */
export function exportModelFolder(folder: string, to: string, options: WriteWeightsOptions = {}): void {
  using opened = openModelWeights(folder);
  saveModelFrom(to, opened.model, opened.tensors, loadSpecialTokenIds(folder), options);
  copyCompanions(folder, to);
}
