/**
 * GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each part, one product for queries, keys and values,
 * matrices as [in, out].
 */
import { invalidInput } from '@crucible/foundation';
import { add, gather, layerNorm, mul, sliceAxis, type Tensor } from '@crucible/tensor';
import { activate, type ActivationName, activationNames } from '../activation.ts';
import type { AroundLayer, Attend, DecoderFamily, DecoderSizes, TokensAt } from '../decoder-family.ts';
import { assertDecoderSizes, assertWhole, headSize } from '../decoder-sizes.ts';
import { type Affine, embedded, linearByColumns, type Weight } from '../linear.ts';
import type { ParameterSpec, ParameterTree } from '../parameters.ts';

export interface Gpt2Config extends DecoderSizes {
  readonly family: 'gpt2';
  /** Inner width of the feed-forward network. */
  readonly intermediateSize: number;
  readonly layerNormEpsilon: number;
  readonly activation: ActivationName;
  /** Whether scores are divided by √(size of a head). Default: true. */
  readonly scaleScores?: boolean;
  /** Whether those of layer i (from 0) are divided by i + 1 as well. Default: false. */
  readonly scaleScoresByLayer?: boolean;
}

interface Gpt2Layer<Leaf> {
  readonly ln_1: Required<Affine<Leaf>>;
  readonly attn: { readonly c_attn: Affine<Leaf>; readonly c_proj: Affine<Leaf> };
  readonly ln_2: Required<Affine<Leaf>>;
  readonly mlp: { readonly c_fc: Affine<Leaf>; readonly c_proj: Affine<Leaf> };
}

interface Gpt2Body<Leaf> {
  readonly wte: Weight<Leaf>;
  readonly wpe: Weight<Leaf>;
  readonly h: readonly Gpt2Layer<Leaf>[];
  readonly ln_f: Required<Affine<Leaf>>;
}

export const gpt2: DecoderFamily<Gpt2Config> = {
  name: 'gpt2',
  className: 'GPT2',
  languageClass: 'GPT2LMHeadModel',
  body: 'transformer',
  embeddings: 'wte.weight',

  parseConfig: (fields) => {
    const heads = fields.number('n_head');
    const hiddenSize = fields.number('n_embd');
    fields.ignore('n_ctx', 'attn_pdrop', 'embd_pdrop', 'resid_pdrop', 'pad_token_id');
    // How sums are ordered, and what heads that we do not have are given.
    fields.ignore('reorder_and_upcast_attn', 'summary_activation', 'summary_first_dropout', 'summary_proj_to_labels');
    fields.ignore('summary_type', 'summary_use_proj');
    return {
      family: 'gpt2',
      vocabularySize: fields.number('vocab_size'),
      hiddenSize,
      intermediateSize: fields.number('n_inner', 4 * hiddenSize),
      layers: fields.number('n_layer'),
      heads,
      keyValueHeads: heads,
      maxPositions: fields.number('n_positions', 1024),
      layerNormEpsilon: fields.number('layer_norm_epsilon', 1e-5),
      activation: fields.oneOf('activation_function', activationNames, 'gelu_new'),
      ...(!fields.flag('scale_attn_weights', true) && { scaleScores: false }),
      ...(fields.flag('scale_attn_by_inverse_layer_idx', false) && { scaleScoresByLayer: true }),
      tieEmbeddings: fields.flag('tie_word_embeddings', true),
    };
  },

  formatConfig: (config) => ({
    activation_function: config.activation,
    attn_pdrop: 0,
    embd_pdrop: 0,
    layer_norm_epsilon: config.layerNormEpsilon,
    n_embd: config.hiddenSize,
    n_head: config.heads,
    n_inner: config.intermediateSize,
    n_layer: config.layers,
    n_positions: config.maxPositions,
    resid_pdrop: 0,
    scale_attn_by_inverse_layer_idx: config.scaleScoresByLayer ?? false,
    scale_attn_weights: config.scaleScores ?? true,
    tie_word_embeddings: config.tieEmbeddings,
    vocab_size: config.vocabularySize,
  }),

  assertConfig: (config, where) => {
    assertWhole(config, ['intermediateSize'], where);
    assertDecoderSizes(config, where);
    const fail = (what: string): never => {
      throw invalidInput(`${where}: ${what}`, { at: where });
    };
    if (config.keyValueHeads !== config.heads) fail('GPT-2 has as many key-value heads as heads');
    if (config.headSize !== undefined) fail('the heads of GPT-2 have the size hiddenSize / heads');
    if (!(config.layerNormEpsilon > 0)) fail('layerNormEpsilon must be above 0');
  },

  parameters: function* (config): Generator<ParameterSpec> {
    const { hiddenSize, intermediateSize } = config;
    const norm = (path: string): ParameterSpec[] => [
      { path: `${path}.weight`, shape: [hiddenSize], role: 'norm' },
      { path: `${path}.bias`, shape: [hiddenSize], role: 'bias' },
    ];
    const matrix = (path: string, inputs: number, out: number, role: 'matrix' | 'output'): ParameterSpec[] => [
      { path: `${path}.weight`, shape: [inputs, out], role, inputs },
      { path: `${path}.bias`, shape: [out], role: 'bias' },
    ];
    yield { path: 'wte.weight', shape: [config.vocabularySize, hiddenSize], role: 'embedding' };
    yield { path: 'wpe.weight', shape: [config.maxPositions, hiddenSize], role: 'place' };
    for (let i = 0; i < config.layers; i++) {
      yield* norm(`h.${i}.ln_1`);
      yield* matrix(`h.${i}.attn.c_attn`, hiddenSize, 3 * hiddenSize, 'matrix');
      yield* matrix(`h.${i}.attn.c_proj`, hiddenSize, hiddenSize, 'output');
      yield* norm(`h.${i}.ln_2`);
      yield* matrix(`h.${i}.mlp.c_fc`, hiddenSize, intermediateSize, 'matrix');
      yield* matrix(`h.${i}.mlp.c_proj`, intermediateSize, hiddenSize, 'output');
    }
    yield* norm('ln_f');
  },

  hidden: gpt2Hidden,

  // Causal masks, which old checkpoints carry along.
  isBuffer: (name) => /^h\.\d+\.attn\.(bias|masked_bias)$/.test(name),
};

function gpt2Hidden(
  tree: ParameterTree<Tensor>,
  config: Gpt2Config,
  { tokens, positions }: TokensAt,
  attend: Attend,
  around: AroundLayer,
): Tensor {
  const body = tree as unknown as Gpt2Body<Tensor>;
  const width = config.hiddenSize;
  const norm = (x: Tensor, { weight, bias }: Required<Affine<Tensor>>): Tensor =>
    layerNorm(x, weight, bias, config.layerNormEpsilon);
  let hidden = add(embedded(body.wte.weight, tokens), gather(body.wpe.weight, positions));
  body.h.forEach(({ ln_1, attn, ln_2, mlp }, i) => {
    const layer = around((before) => {
      const joint = linearByColumns(norm(before, ln_1), attn.c_attn);
      const part = (n: number): Tensor => sliceAxis(joint, 2, n * width, (n + 1) * width);
      // Attention divides by √(size of a head); what else is asked for is put into the queries.
      const factor = scoreScale(config, i) * Math.sqrt(headSize(config));
      const query = factor === 1 ? part(0) : mul(part(0), factor);
      const afterAttention = add(
        before,
        linearByColumns(attend(i, { query, key: part(1), value: part(2) }), attn.c_proj),
      );
      const inner = activate(config.activation, linearByColumns(norm(afterAttention, ln_2), mlp.c_fc));
      return add(afterAttention, linearByColumns(inner, mlp.c_proj));
    });
    hidden = layer(hidden);
  });
  return norm(hidden, body.ln_f);
}

function scoreScale(config: Gpt2Config, layer: number): number {
  const { scaleScores = true, scaleScoresByLayer = false } = config;
  return (scaleScores ? 1 / Math.sqrt(headSize(config)) : 1) / (scaleScoresByLayer ? layer + 1 : 1);
}
