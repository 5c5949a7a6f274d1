/**
 * A model as an ONNX file with open sizes of batch and sequence. Inputs are those of transformers: `input_ids`,
 * `attention_mask` (padding on either side for decoders, on the right for encoders) and, for an encoder with more than one
 * kind, `token_type_ids`. The output is `logits`; of a model for embeddings, `sentence_embedding`.
 */
import {
  classifierLogits,
  decode,
  type DecoderConfig,
  encode,
  headScores,
  headSize,
  languageLogits,
  maskedLanguageLogits,
  type ParameterTree,
  pool,
} from '@crucible/nn';
import {
  cast,
  cumulativeSum,
  equal,
  exportOnnx,
  max,
  maximum,
  mul,
  reshape,
  sub,
  sum,
  type Tensor,
  type TensorType,
  treeFromPaths,
} from '@crucible/tensor';
import { isDecoderConfig, type ModelDescription, openModelWeights } from './model-folder.ts';

export interface OnnxOptions {
  /** Whether weights are written beside the file, into PATH.data. Default: where they are too many for it. */
  readonly external?: boolean | undefined;
}

/** Writes the model of a folder into one file. */
export function exportModelOnnx(folder: string, path: string, { external }: OnnxOptions = {}): void {
  using opened = openModelWeights(folder);
  const { model, tensors } = opened;
  const { config } = model;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const types = new Map(tensors.map(({ name, dtype, shape }): [string, TensorType] => [name, { dtype, shape }]));
  const hasTypes = !isDecoderConfig(config) && config.tokenTypes > 1;
  exportOnnx(path, {
    weights: treeFromPaths(types) as ParameterTree<TensorType>,
    readWeight: (name) => byName.get(name)!.read().data as Float32Array,
    inputs: {
      input_ids: ['batch', 'sequence'],
      attention_mask: ['batch', 'sequence'],
      ...(hasTypes && { token_type_ids: ['batch', 'sequence'] as const }),
    },
    sizes: [config.heads, isDecoderConfig(config) ? headSize(config) : config.hiddenSize / config.heads],
    build: (weights, inputs) => answer(model, weights as ParameterTree<Tensor>, inputs),
    external,
  });
}

function answer(
  model: ModelDescription,
  weights: ParameterTree<Tensor>,
  inputs: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const {
    input_ids: ids,
    attention_mask: mask,
    token_type_ids: types,
  } = inputs as Record<string, Tensor> & {
    readonly input_ids: Tensor;
    readonly attention_mask: Tensor;
  };
  const { config } = model;
  if (isDecoderConfig(config)) {
    const hidden = decodePadded(weights, config, ids, mask);
    if (model.kind === 'language') return { logits: languageLogits(weights, config, hidden) };
    const scores = headScores(weights, lastReal(hidden, mask));
    return { logits: model.kind === 'scalar' ? sub(scores, model.bias) : scores };
  }
  const hidden = encode(weights, config, { ids, mask, ...(types && { types }) });
  switch (model.kind) {
    case 'masked-language':
      return { logits: maskedLanguageLogits(weights, config, hidden) };
    case 'classifier':
      return { logits: classifierLogits(weights, config, hidden) };
    case 'embedding':
      return { sentence_embedding: pool(hidden, mask, model.pooling) };
    case 'language':
    case 'scalar':
      throw new Error('internal: an encoder has no such head');
  }
}

/** Hidden states; positions count real tokens from 0, and padding is a segment of its own that no real token sees. */
function decodePadded(weights: ParameterTree<Tensor>, config: DecoderConfig, ids: Tensor, mask: Tensor): Tensor {
  const positions = maximum(sub(cumulativeSum(mask), 1), 0);
  return decode(weights, config, { ids, positions, segments: mask }).hidden;
}

/** Hidden states of the last real token of each row: [batch, width]. */
function lastReal(hidden: Tensor, mask: Tensor): Tensor {
  const [batch, time] = mask.shape as [number, number];
  // The first place has number 1, padding 0.
  const places = mul(cumulativeSum(cast(equal(mask, mask), 'int32')), mask);
  const isLast = equal(places, max(places, { axes: -1, keepDims: true }));
  return sum(mul(hidden, reshape(cast(isLast, 'float32'), [batch, time, 1])), { axes: 1 });
}
