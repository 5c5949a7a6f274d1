export { EngineWorker } from './engine-worker.ts';
export type { LoadedModel, ModelDescription, ModelEngine, ModelSource } from './model-source.ts';
export { ServedModels } from './served-models.ts';
export type { ServedModelsOptions, WeightUpdate } from './served-models.ts';
