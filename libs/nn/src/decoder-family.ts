/** What a family of decoders consists of. Everything that is common to all of them is in decoder.ts. */
import type { Random } from '@crucible/foundation';
import type { Tensor } from '@crucible/tensor';
import type { ConfigFields } from './config-fields.ts';
import type { ParameterSpec, ParameterTree, ModelWeights } from './parameters.ts';

/** Sizes that every decoder has. */
export interface DecoderSizes {
  readonly vocabularySize: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; divides `heads` (grouped-query attention, Ainslie et al. 2023). */
  readonly keyValueHeads: number;
  /** Size of one head. Default: hiddenSize / heads. */
  readonly headSize?: number;
  /** Longest sequence, in tokens. */
  readonly maxPositions: number;
  /** Whether the output matrix is the embedding matrix. */
  readonly tieEmbeddings: boolean;
}

export interface DecoderInput {
  /** Token ids, int32 [batch, time]; padding on the right. */
  readonly ids: Tensor;
  /** Position of each token in its sequence, int32 [batch, time]. Default: 0, 1, 2, … */
  readonly positions?: Tensor;
  /** Sequences packed into one row have different numbers here, int32 [batch, time]; none sees another. */
  readonly segments?: Tensor;
  /**
   * Continuations of one beginning within a segment: 0 marks the beginning, which all see, and tokens of different other
   * numbers do not see each other. int32 [batch, time]; needs `segments`. Positions then go on from the beginning's.
   */
  readonly branches?: Tensor;
  /**
   * Keys and values that every token sees before all others, [1 | batch, keyValueHeads, n, headSize] a layer: of virtual
   * tokens, see adapters/virtual-tokens.ts. They take the positions 0 … n - 1; those of the tokens count on from n.
   */
  readonly prefix?: KeysAndValues | undefined;
  /** Whether a gradient works the inside of each layer out again instead of keeping it. Default: `none`. */
  readonly recompute?: Recompute;
}

/** What gradients work out again: `block`, the inside of every layer, of which only what goes in is kept. */
export type Recompute = 'none' | 'block';

/** Keys and values of every layer as attention reads them, [batch, keyValueHeads, time, headSize]. */
export interface KeysAndValues {
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
}

/** What a layer asks of attention; the caller keeps keys and values, and knows who may look at what. */
interface AttentionInput {
  /** [batch, time, heads · headSize] */
  readonly query: Tensor;
  /** [batch, time, keyValueHeads · headSize], as is `value`. */
  readonly key: Tensor;
  readonly value: Tensor;
  /** How many tokens back it reaches, its own included. Default: all. */
  readonly window?: number | undefined;
}

/** A layer, from hidden states to hidden states. */
type Layer = (hidden: Tensor) => Tensor;

/** What the caller puts around each layer. */
export type AroundLayer = (layer: Layer) => Layer;

/** Attention of layer `layer`: [batch, time, heads · headSize]. */
export type Attend = (layer: number, input: AttentionInput) => Tensor;

/** Tokens to read: their ids, int32 [batch, time], or what stands for them, [batch, time, hiddenSize]; and their positions. */
export interface TokensAt {
  readonly tokens: { readonly ids: Tensor } | { readonly embeddings: Tensor };
  /** int32 [batch, time] */
  readonly positions: Tensor;
}

export interface DecoderFamily<Config extends DecoderSizes & { readonly family: string }> {
  /** `model_type` in config.json. */
  readonly name: Config['family'];
  /** What the names of transformers' classes begin with: `Llama` of LlamaForCausalLM. */
  readonly className: string;
  /** The class with a language model's head. Default: className + ForCausalLM. */
  readonly languageClass?: string;
  /** The branch of the parameter tree that holds the decoder without a head. */
  readonly body: string;
  /** Path of the embedding matrix within the body. */
  readonly embeddings: string;
  /** Reads config.json; fields that would change what is computed, and that we do not compute, are refused by name. */
  readonly parseConfig: (fields: ConfigFields) => Config;
  /** The fields of config.json that `parseConfig` reads, and `hidden_size`-like ones that others need. */
  readonly formatConfig: (config: Config) => Record<string, unknown>;
  /** Throws when the sizes do not make a model; `where` names their source. */
  readonly assertConfig: (config: Config, where: string) => void;
  /** Parameters of the body, paths relative to it, in the order of the tree. One by one: a file may claim any number. */
  readonly parameters: (config: Config) => Iterable<ParameterSpec>;
  /** Hidden states after the last norm: [batch, time, hiddenSize]. */
  readonly hidden: (
    body: ParameterTree<Tensor>,
    config: Config,
    tokens: TokensAt,
    attend: Attend,
    around: AroundLayer,
  ) => Tensor;
  /** Changes fresh random parameters of a language model, in place. Default: leaves them. */
  readonly prepare?: (config: Config, weights: ModelWeights, random: Random) => void;
  /** Whether checkpoints hold such a tensor beside the parameters, made from the configuration alone; name within the body. */
  readonly isBuffer: (name: string) => boolean;
}
