/** BERT (Devlin et al. 2019), and what has its body: MiniLM and most of sentence-transformers. */
import { broadcastTo, layerNorm, type Tensor } from '@crucible/tensor';
import { activate } from '../activation.ts';
import { formatEncoderConfig, parseEncoderConfig } from '../encoder-config.ts';
import type { EncoderFamily, EncoderSizes } from '../encoder-family.ts';
import { type Affine, linear } from '../linear.ts';

export interface BertConfig extends EncoderSizes {
  readonly family: 'bert';
}

interface BertPredictions<Leaf> {
  readonly transform: { readonly dense: Affine<Leaf>; readonly LayerNorm: Required<Affine<Leaf>> };
  readonly bias: Leaf;
}

export const bert: EncoderFamily<BertConfig> = {
  name: 'bert',
  className: 'Bert',
  body: 'bert',
  parseConfig: (fields) => {
    fields.ignore('pad_token_id');
    // Of a pooler that a few old files describe and nothing ever read.
    fields.ignore('directionality', 'pooler_fc_size', 'pooler_num_attention_heads', 'pooler_num_fc_layers');
    fields.ignore('pooler_size_per_head', 'pooler_type');
    return { family: 'bert', ...parseEncoderConfig(fields) };
  },
  formatConfig: formatEncoderConfig,
  positionRows: ({ maxPositions }) => maxPositions,
  positions: (ids) => {
    const time = ids.shape[1]!;
    const row = ids.graph.constant(
      'int32',
      [1, time],
      Int32Array.from({ length: time }, (_, t) => t),
    );
    return broadcastTo(row, ids.shape);
  },

  maskedParameters: function* ({ hiddenSize, vocabularySize }) {
    yield { path: 'cls.predictions.bias', shape: [vocabularySize], role: 'bias' };
    yield { path: 'cls.predictions.transform.dense.weight', shape: [hiddenSize, hiddenSize], role: 'matrix' };
    yield { path: 'cls.predictions.transform.dense.bias', shape: [hiddenSize], role: 'bias' };
    yield { path: 'cls.predictions.transform.LayerNorm.weight', shape: [hiddenSize], role: 'norm' };
    yield { path: 'cls.predictions.transform.LayerNorm.bias', shape: [hiddenSize], role: 'bias' };
  },
  maskedLogits: (weights, config, hidden, embeddings) => {
    const { predictions } = weights['cls'] as unknown as { readonly predictions: BertPredictions<Tensor> };
    const { dense, LayerNorm: norm } = predictions.transform;
    const inner = activate(config.activation, linear(hidden, dense));
    const normed = layerNorm(inner, norm.weight, norm.bias, config.layerNormEpsilon);
    return linear(normed, { weight: embeddings, bias: predictions.bias });
  },

  classifiesPooled: true,
  classifierParameters: function* ({ hiddenSize }, labels) {
    yield { path: 'classifier.weight', shape: [labels, hiddenSize], role: 'head' };
    yield { path: 'classifier.bias', shape: [labels], role: 'bias' };
  },
  classifierLogits: (weights, pooled) => linear(pooled, weights['classifier'] as unknown as Affine<Tensor>),

  isRedundant: (name) =>
    /^(bert\.)?embeddings\.position_ids$/.test(name) ||
    /^cls\.predictions\.decoder\.(weight|bias)$/.test(name) ||
    name.startsWith('cls.seq_relationship.') ||
    name.startsWith('bert.pooler.'),
};
