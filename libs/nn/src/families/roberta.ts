/** RoBERTa (Liu et al. 2019): BERT whose positions count from beyond the padding token's id, with heads of its own. */
import { add, cast, cumulativeSum, equal, gelu, layerNorm, mul, sub, tanh, type Tensor } from '@crucible/tensor';
import { formatEncoderConfig, parseEncoderConfig } from '../encoder-config.ts';
import type { EncoderFamily, EncoderSizes } from '../encoder-family.ts';
import { type Affine, linear } from '../linear.ts';

export interface RobertaConfig extends EncoderSizes {
  readonly family: 'roberta';
  /** Id of the padding token: real tokens have the positions from padId + 1 on. */
  readonly padId: number;
}

interface RobertaHead<Leaf> {
  readonly bias: Leaf;
  readonly dense: Affine<Leaf>;
  readonly layer_norm: Required<Affine<Leaf>>;
}

export const roberta: EncoderFamily<RobertaConfig> = {
  name: 'roberta',
  className: 'Roberta',
  body: 'roberta',
  parseConfig: (fields) => {
    const sizes = parseEncoderConfig(fields);
    const padId = fields.number('pad_token_id', 1);
    return { family: 'roberta', ...sizes, maxPositions: sizes.maxPositions - padId - 1, padId };
  },
  formatConfig: (config) => ({
    ...formatEncoderConfig(config),
    max_position_embeddings: positionRows(config),
    pad_token_id: config.padId,
  }),
  positionRows,
  positions: (ids, { padId }) => {
    const real = sub(1, cast(equal(ids, padId), 'int32'));
    return add(mul(cumulativeSum(real), real), padId);
  },

  maskedParameters: function* ({ hiddenSize, vocabularySize }) {
    yield { path: 'lm_head.bias', shape: [vocabularySize], role: 'bias' };
    yield { path: 'lm_head.dense.weight', shape: [hiddenSize, hiddenSize], role: 'matrix' };
    yield { path: 'lm_head.dense.bias', shape: [hiddenSize], role: 'bias' };
    yield { path: 'lm_head.layer_norm.weight', shape: [hiddenSize], role: 'norm' };
    yield { path: 'lm_head.layer_norm.bias', shape: [hiddenSize], role: 'bias' };
  },
  maskedLogits: (weights, config, hidden, embeddings) => {
    const { bias, dense, layer_norm: norm } = weights['lm_head'] as unknown as RobertaHead<Tensor>;
    const normed = layerNorm(gelu(linear(hidden, dense)), norm.weight, norm.bias, config.layerNormEpsilon);
    return linear(normed, { weight: embeddings, bias });
  },

  classifiesPooled: false,
  classifierParameters: function* ({ hiddenSize }, labels) {
    yield { path: 'classifier.dense.weight', shape: [hiddenSize, hiddenSize], role: 'matrix' };
    yield { path: 'classifier.dense.bias', shape: [hiddenSize], role: 'bias' };
    yield { path: 'classifier.out_proj.weight', shape: [labels, hiddenSize], role: 'head' };
    yield { path: 'classifier.out_proj.bias', shape: [labels], role: 'bias' };
  },
  classifierLogits: (weights, first) => {
    const head = weights['classifier'] as unknown as Readonly<Record<'dense' | 'out_proj', Affine<Tensor>>>;
    return linear(tanh(linear(first, head.dense)), head.out_proj);
  },

  isRedundant: (name) =>
    /^(roberta\.)?embeddings\.position_ids$/.test(name) ||
    /^lm_head\.decoder\.(weight|bias)$/.test(name) ||
    name.startsWith('roberta.pooler.'),
};

function positionRows({ maxPositions, padId }: RobertaConfig): number {
  return maxPositions + padId + 1;
}
