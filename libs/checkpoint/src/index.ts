export { assertAdapterFits, loadAdapter, openAdapter, saveAdapter } from './peft-folder.ts';
export type { SavedAdapter } from './peft-folder.ts';
export { isAdapterFolder } from './adapter-files.ts';
export { importAdapter, mergeAdapter, unmergeAdapter } from './adapter-models.ts';
export type { ModelKind } from './architectures.ts';
export { loadFirstSpecialToken } from './first-special-token.ts';
export { exportGguf, ggufTypes } from './gguf/gguf-export.ts';
export type { GgufOptions, GgufType } from './gguf/gguf-export.ts';
export { exportModelFolder } from './huggingface-export.ts';
export { importModel } from './import-model.ts';
export type { ImportOptions } from './import-model.ts';
export { modelFilesOf } from './model-files.ts';
export {
  loadModel,
  openModelWeights,
  parametersOf,
  readModelKind,
  saveGenerationConfig,
  saveModel,
} from './model-folder.ts';
export type { LoadOptions, ModelDescription, OpenedModel, SavedModel } from './model-folder.ts';
export { ModelRegistry, openModelFolder } from './model-registry.ts';
export type { MergedAdapter, ModelCard, ModelVersion, NewModel } from './model-registry.ts';
export { exportModelOnnx } from './onnx-export.ts';
export type { OnnxOptions } from './onnx-export.ts';
export { readSafetensors, tensorSources, writeSafetensors } from './safetensors.ts';
export type { SafetensorsFile, TensorSource, WriteOptions } from './safetensors.ts';
export { loadSentenceSettings } from './sentence-folder.ts';
export type { SentenceSettings } from './sentence-folder.ts';
export { loadSpecialTokenIds } from './special-token-ids.ts';
export type { SpecialTokenIds } from './special-token-ids.ts';
export type { FloatType } from './stored-types.ts';
export type { WriteWeightsOptions } from './weight-files.ts';
export { loadLanguageModel, readServedKind, saveQuantizedModel } from './quantized-folder.ts';
export type { LanguageModel, QuantizationRecord } from './quantized-folder.ts';
