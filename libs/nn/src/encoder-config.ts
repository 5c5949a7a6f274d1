/** The fields of config.json that BERT and RoBERTa name alike. */
import { activationNames } from './activation.ts';
import type { ConfigFields } from './config-fields.ts';
import type { EncoderSizes } from './encoder-family.ts';

export function parseEncoderConfig(fields: ConfigFields): EncoderSizes {
  fields.only('position_embedding_type', 'absolute');
  fields.only('is_decoder', false);
  fields.only('tie_word_embeddings', true);
  fields.ignore('attention_probs_dropout_prob', 'hidden_dropout_prob', 'classifier_dropout');
  return {
    vocabularySize: fields.number('vocab_size'),
    hiddenSize: fields.number('hidden_size'),
    intermediateSize: fields.number('intermediate_size'),
    layers: fields.number('num_hidden_layers'),
    heads: fields.number('num_attention_heads'),
    maxPositions: fields.number('max_position_embeddings', 512),
    tokenTypes: fields.number('type_vocab_size', 2),
    layerNormEpsilon: fields.number('layer_norm_eps', 1e-12),
    activation: fields.oneOf('hidden_act', activationNames, 'gelu'),
  };
}

export function formatEncoderConfig(config: EncoderSizes): Record<string, unknown> {
  return {
    attention_probs_dropout_prob: 0,
    hidden_act: config.activation,
    hidden_dropout_prob: 0,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    layer_norm_eps: config.layerNormEpsilon,
    max_position_embeddings: config.maxPositions,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    position_embedding_type: 'absolute',
    type_vocab_size: config.tokenTypes,
    vocab_size: config.vocabularySize,
  };
}
