export { decodeStep } from './llama-decode-step.ts';
export type { DecodeStepInput, DecodeStepOutput } from './llama-decode-step.ts';
export { assertLlamaConfig, headSize } from './llama-config.ts';
export type { LlamaConfig } from './llama-config.ts';
export { initLanguageModel, initScalarHead, isInnerMatrix } from './llama-parameters.ts';
export type {
  LanguageModel,
  LanguageModelWeights,
  LlamaBody,
  LlamaLayer,
  ScalarModel,
  ScalarModelWeights,
  Weight,
} from './llama-parameters.ts';
export { decode, hiddenRows, languageLogits, scalarScores } from './llama.ts';
export type { DecoderInput, KeysAndValues } from './llama.ts';
