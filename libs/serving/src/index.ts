export { EngineWorker } from './engine-worker.ts';
export { modelEngine } from './model-engine.ts';
export type { LoadMethod, ModelEngine, OpenMethod } from './model-engine.ts';
export { createModelService } from './model-service.ts';
export type { ModelServiceDependencies, ModelServiceParts } from './model-service.ts';
export type { LoadedModel, ModelDescription, ModelSource } from './model-source.ts';
export { adapterName, ServedModels } from './served-models.ts';
export type { ResolvedModel, ServedModelsOptions, WeightUpdate } from './served-models.ts';
