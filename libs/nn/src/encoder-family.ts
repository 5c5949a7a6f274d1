/** What BERT (Devlin et al. 2019) and RoBERTa (Liu et al. 2019) share of their sizes, and where they differ. */
import type { Tensor } from '@crucible/tensor';
import type { ActivationName } from './activation.ts';
import type { ConfigFields } from './config-fields.ts';
import type { ParameterSpec, ParameterTree } from './parameters.ts';

export interface EncoderSizes {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  /** Inner width of the feed-forward network. */
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Longest sequence, in tokens. */
  readonly maxPositions: number;
  /** Kinds of token type: BERT tells two sentences apart by them. */
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
  readonly activation: ActivationName;
}

export interface EncoderFamily<Config extends EncoderSizes & { readonly family: string }> {
  /** `model_type` in config.json. */
  readonly name: Config['family'];
  /** What the names of transformers' classes begin with: `Bert` of BertForMaskedLM. */
  readonly className: string;
  /** The branch of the parameter tree that holds the encoder without a head. */
  readonly body: string;
  readonly parseConfig: (fields: ConfigFields) => Config;
  readonly formatConfig: (config: Config) => Record<string, unknown>;
  /** Rows of the table of positions. */
  readonly positionRows: (config: Config) => number;
  /** The row of each token: ids int32 [batch, time] → int32 [batch, time]. */
  readonly positions: (ids: Tensor, config: Config) => Tensor;
  /** Parameters of the head that predicts masked tokens, beside the body. */
  readonly maskedParameters: (config: Config) => Iterable<ParameterSpec>;
  /** Logits [..., vocabulary] for tokens of hidden states [..., hiddenSize]; `embeddings` is the tied matrix. */
  readonly maskedLogits: (weights: ParameterTree<Tensor>, config: Config, hidden: Tensor, embeddings: Tensor) => Tensor;
  /** Whether the classifier reads the body's pooler. */
  readonly classifiesPooled: boolean;
  /** Parameters of the head that classifies sequences, beside the body. */
  readonly classifierParameters: (config: Config, labels: number) => Iterable<ParameterSpec>;
  /** Logits [batch, labels] of what the head reads [batch, hiddenSize]: the pooler's result, or the first token's state. */
  readonly classifierLogits: (weights: ParameterTree<Tensor>, first: Tensor) => Tensor;
  /**
   * Whether checkpoints hold such a tensor beside the parameters: made from the configuration, a copy of a tied one, or
   * part of a head that has no use here. By its whole name.
   */
  readonly isRedundant: (name: string) => boolean;
}
