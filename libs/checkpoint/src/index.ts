export { loadModel, loadSpecialTokenIds, saveModel } from './llama-folder.ts';
export type { SavedModel, SpecialTokenIds } from './llama-folder.ts';
export { ModelRegistry, openModelFolder } from './model-registry.ts';
export type { ModelCard, ModelVersion, NewModel } from './model-registry.ts';
export { readSafetensors, writeSafetensors } from './safetensors.ts';
export type { SafetensorsFile } from './safetensors.ts';
export { treeFromPaths } from './tree-from-paths.ts';
