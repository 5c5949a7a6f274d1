export { ConfigFields } from './config-fields.ts';
export {
  bodyOf,
  decode,
  decoderParameters,
  decodeStep,
  embeddingsOf,
  headScores,
  hiddenRows,
  initLanguageModel,
  languageLogits,
  languageLogProbability,
  predictionsOf,
  scalarScores,
  withScalarHead,
} from './decoder.ts';
export { readEmbeddings } from './decoder.ts';
export type { Predictions, DecoderHead, DecodeStepInput, DecodeStepOutput } from './decoder.ts';
export type { Recompute, DecoderFamily, DecoderInput, DecoderSizes, KeysAndValues } from './decoder-family.ts';
export { headSize } from './decoder-sizes.ts';
export {
  assertEncoderConfig,
  classifierLogits,
  embeddingDeviation,
  encode,
  encoderParameters,
  initEncoder,
  maskedLanguageLogits,
  pool,
  poolingModes,
} from './encoder.ts';
export type { EncoderHead, EncoderInput, Pooling } from './encoder.ts';
export { assertDecoderConfig, decoderFamilies, decoderFamily, encoderFamilies, encoderFamily } from './families.ts';
export type { AnyDecoderFamily, AnyEncoderFamily, DecoderConfig, EncoderConfig } from './families.ts';
export type { BertConfig } from './families/bert.ts';
export type { Gpt2Config } from './families/gpt2.ts';
export type { LlamaConfig } from './families/llama.ts';
export type { Qwen2Config } from './families/qwen2.ts';
export type { RobertaConfig } from './families/roberta.ts';
export type { Qwen3Config } from './families/qwen3.ts';
export { wordCoordinates } from './neighbour-heads.ts';
export { ropeFrequencies } from './rope.ts';
export type { ModelWeights, ParameterRole, ParameterSpec, ParameterTree } from './parameters.ts';
export { adaptDecoder, adapterKinds } from './adapters/adapter.ts';
export type { Adapted, AdapterConfig } from './adapters/adapter.ts';
export {
  allLinear,
  chosenTargets,
  initLora,
  loraMerger,
  loraParts,
  loraScale,
  loraTargets,
  mergeLora,
  withLora,
  withLowRanks,
} from './adapters/lora.ts';
export type { LoraConfig, LoraFactors, LoraTarget } from './adapters/lora.ts';
export type { LowRank } from './linear.ts';
export { initPrompt, prefixParameters, virtualPrefix, virtualShape } from './adapters/virtual-tokens.ts';
export type { PrefixConfig, PromptConfig, PromptStart } from './adapters/virtual-tokens.ts';
export { ErrorMinimizer, roundToNearest } from './quantized/quantize-matrix.ts';
export { withoutMatrices, withQuantized, withTaps } from './quantized/quantized-weights.ts';
export type { QuantizedWeights } from './quantized/quantized-weights.ts';
