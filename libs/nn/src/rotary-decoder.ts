/**
 * What Llama (Touvron et al. 2023), Qwen2 and Qwen3 have in common: RMSNorm before each part, rotary positions,
 * grouped-query attention, SwiGLU. The families differ in biases, in norms of queries and keys, and in how config.json
 * names things.
 */
import { invalidInput } from '@crucible/foundation';
import { add, mul, reshape, rmsNorm, rotary, type Tensor } from '@crucible/tensor';
import { activate, type ActivationName, activationNames } from './activation.ts';
import type { ConfigFields } from './config-fields.ts';
import type { AroundLayer, Attend, DecoderFamily, DecoderSizes, TokensAt } from './decoder-family.ts';
import { assertDecoderSizes, assertWhole, headSize } from './decoder-sizes.ts';
import { type Affine, embedded, linear, type Weight } from './linear.ts';
import type { ParameterSpec, ParameterTree } from './parameters.ts';
import { formatRope, parseRope } from './rope-config.ts';
import { assertRopeScaling, type Rotation, rotationAt, type RopeScaling } from './rope.ts';

export interface RotaryDecoderConfig extends DecoderSizes {
  /** Inner width of the gated feed-forward network. */
  readonly intermediateSize: number;
  readonly rmsNormEpsilon: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Default: none. */
  readonly ropeScaling?: RopeScaling;
  /** Of the gate of the feed-forward network. Default: silu. */
  readonly activation?: ActivationName;
  /** Attention that reaches so many tokens back, in the layers from `from` on. Default: all layers see everything. */
  readonly slidingWindow?: { readonly size: number; readonly from: number };
}

interface RotaryLayer<Leaf> {
  readonly input_layernorm: Weight<Leaf>;
  readonly self_attn: {
    readonly q_proj: Affine<Leaf>;
    readonly k_proj: Affine<Leaf>;
    readonly v_proj: Affine<Leaf>;
    readonly o_proj: Affine<Leaf>;
    readonly q_norm?: Weight<Leaf>;
    readonly k_norm?: Weight<Leaf>;
  };
  readonly post_attention_layernorm: Weight<Leaf>;
  readonly mlp: {
    readonly gate_proj: Affine<Leaf>;
    readonly up_proj: Affine<Leaf>;
    readonly down_proj: Affine<Leaf>;
  };
}

export interface RotaryBody<Leaf> {
  readonly embed_tokens: Weight<Leaf>;
  readonly layers: readonly RotaryLayer<Leaf>[];
  readonly norm: Weight<Leaf>;
}

/** What of a layer is there beside the matrices. */
interface RotaryTraits {
  readonly queryKeyValueBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** RMSNorm of every head's queries and keys before they are rotated. */
  readonly queryKeyNorm: boolean;
}

type RotaryFamilyParts<Config extends RotaryDecoderConfig & { readonly family: string }> = Pick<
  DecoderFamily<Config>,
  'name' | 'className' | 'prepare' | 'parseConfig' | 'formatConfig'
> & { readonly traits: (config: Config) => RotaryTraits };

export function rotaryFamily<Config extends RotaryDecoderConfig & { readonly family: string }>({
  traits,
  ...parts
}: RotaryFamilyParts<Config>): DecoderFamily<Config> {
  return {
    ...parts,
    body: 'model',
    embeddings: 'embed_tokens.weight',
    assertConfig: assertRotaryConfig,
    parameters: (config) => rotaryParameters(config, traits(config)),
    hidden: rotaryHidden,
    isBuffer: (name) => name.endsWith('.rotary_emb.inv_freq') || name === 'rotary_emb.inv_freq',
  };
}

/** The fields that the families name alike. */
export function parseRotaryConfig(fields: ConfigFields): RotaryDecoderConfig {
  const heads = fields.number('num_attention_heads');
  const maxPositions = fields.number('max_position_embeddings');
  const size = fields.optionalNumber('head_dim');
  const hiddenSize = fields.number('hidden_size');
  const activation = fields.oneOf('hidden_act', activationNames, 'silu');
  fields.ignore('attention_dropout', 'pretraining_tp', 'pad_token_id');
  return {
    vocabularySize: fields.number('vocab_size'),
    hiddenSize,
    intermediateSize: fields.number('intermediate_size'),
    layers: fields.number('num_hidden_layers'),
    heads,
    keyValueHeads: fields.number('num_key_value_heads', heads),
    ...(size !== undefined && size !== hiddenSize / heads && { headSize: size }),
    maxPositions,
    rmsNormEpsilon: fields.number('rms_norm_eps', 1e-6),
    ...parseRope(fields, maxPositions),
    ...(activation !== 'silu' && { activation }),
    tieEmbeddings: fields.flag('tie_word_embeddings', false),
  };
}

export function formatRotaryConfig(config: RotaryDecoderConfig): Record<string, unknown> {
  return {
    attention_dropout: 0,
    head_dim: headSize(config),
    hidden_act: config.activation ?? 'silu',
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.keyValueHeads,
    rms_norm_eps: config.rmsNormEpsilon,
    ...formatRope(config),
    tie_word_embeddings: config.tieEmbeddings,
    vocab_size: config.vocabularySize,
  };
}

/**
 * Qwen's sliding window: layers from `max_window_layers` on, when `use_sliding_window` says so. `layer_types`, which newer
 * files have, must say the same.
 */
export function parseSlidingWindow(fields: ConfigFields, layers: number): Pick<RotaryDecoderConfig, 'slidingWindow'> {
  const isUsed = fields.flag('use_sliding_window', false);
  const size = fields.number('sliding_window', 4096);
  const from = fields.number('max_window_layers', 28);
  const types = fields.take('layer_types');
  if (types !== undefined) {
    const expected = (i: number): string => (isUsed && i >= from ? 'sliding_attention' : 'full_attention');
    const isPlain = Array.isArray(types) && types.length === layers && types.every((type, i) => type === expected(i));
    if (!isPlain) {
      fields.fail(
        `layer_types is ${JSON.stringify(types)}; supported is what use_sliding_window and max_window_layers say: full_attention, and sliding_attention from a layer on`,
      );
    }
  }
  if (!isUsed || from >= layers) return {};
  if (!Number.isInteger(size) || size < 1) fields.fail(`sliding_window is ${size}; a whole number from 1 is needed`);
  return { slidingWindow: { size, from: Math.max(0, from) } };
}

export function formatSlidingWindow({ slidingWindow, layers }: RotaryDecoderConfig): Record<string, unknown> {
  return {
    use_sliding_window: slidingWindow !== undefined,
    sliding_window: slidingWindow?.size ?? null,
    max_window_layers: slidingWindow?.from ?? layers,
  };
}

function assertRotaryConfig(config: RotaryDecoderConfig, where: string): void {
  assertWhole(config, ['intermediateSize'], where);
  assertDecoderSizes(config, where, { even: true });
  if (!(config.rmsNormEpsilon > 0) || !(config.ropeTheta > 0)) {
    throw invalidInput(`${where}: rmsNormEpsilon and ropeTheta must be above 0`, { at: where });
  }
  if (config.ropeScaling) assertRopeScaling(config.ropeScaling, where);
}

function* rotaryParameters(config: RotaryDecoderConfig, traits: RotaryTraits): Generator<ParameterSpec> {
  const { hiddenSize, intermediateSize, vocabularySize, heads, keyValueHeads } = config;
  const size = headSize(config);
  const norm = (path: string, width: number): ParameterSpec => ({
    path: `${path}.weight`,
    shape: [width],
    role: 'norm',
  });
  const matrix = (
    path: string,
    shape: [out: number, inputs: number],
    hasBias: boolean,
    role: 'matrix' | 'output' = 'matrix',
  ): ParameterSpec[] => [
    { path: `${path}.weight`, shape, role },
    ...(hasBias ? [{ path: `${path}.bias`, shape: [shape[0]], role: 'bias' as const }] : []),
  ];
  const { queryKeyValueBias, outputBias, mlpBias, queryKeyNorm } = traits;
  yield { path: 'embed_tokens.weight', shape: [vocabularySize, hiddenSize], role: 'embedding' };
  for (let i = 0; i < config.layers; i++) {
    const layer = `layers.${i}`;
    yield norm(`${layer}.input_layernorm`, hiddenSize);
    yield* matrix(`${layer}.self_attn.q_proj`, [heads * size, hiddenSize], queryKeyValueBias);
    yield* matrix(`${layer}.self_attn.k_proj`, [keyValueHeads * size, hiddenSize], queryKeyValueBias);
    yield* matrix(`${layer}.self_attn.v_proj`, [keyValueHeads * size, hiddenSize], queryKeyValueBias);
    yield* matrix(`${layer}.self_attn.o_proj`, [hiddenSize, heads * size], outputBias, 'output');
    if (queryKeyNorm) {
      yield norm(`${layer}.self_attn.q_norm`, size);
      yield norm(`${layer}.self_attn.k_norm`, size);
    }
    yield norm(`${layer}.post_attention_layernorm`, hiddenSize);
    yield* matrix(`${layer}.mlp.gate_proj`, [intermediateSize, hiddenSize], mlpBias);
    yield* matrix(`${layer}.mlp.up_proj`, [intermediateSize, hiddenSize], mlpBias);
    yield* matrix(`${layer}.mlp.down_proj`, [hiddenSize, intermediateSize], mlpBias, 'output');
  }
  yield norm('norm', hiddenSize);
}

function rotaryHidden(
  tree: ParameterTree<Tensor>,
  config: RotaryDecoderConfig,
  { tokens, positions }: TokensAt,
  attend: Attend,
  around: AroundLayer,
): Tensor {
  const body = tree as unknown as RotaryBody<Tensor>;
  const { rmsNormEpsilon: epsilon, slidingWindow, activation = 'silu' } = config;
  const rotation = rotationAt(positions, {
    size: headSize(config),
    theta: config.ropeTheta,
    scaling: config.ropeScaling,
  });
  let hidden = embedded(body.embed_tokens.weight, tokens);
  body.layers.forEach(({ input_layernorm, self_attn, post_attention_layernorm, mlp }, i) => {
    const layer = around((before) => {
      const normed = rmsNorm(before, input_layernorm.weight, epsilon);
      const rotated = (projection: Affine<Tensor>, norm: Weight<Tensor> | undefined, heads: number): Tensor =>
        rotate(headNorm(linear(normed, projection), norm, heads, epsilon), rotation, heads);
      const attended = attend(i, {
        query: rotated(self_attn.q_proj, self_attn.q_norm, config.heads),
        key: rotated(self_attn.k_proj, self_attn.k_norm, config.keyValueHeads),
        value: linear(normed, self_attn.v_proj),
        window: slidingWindow && i >= slidingWindow.from ? slidingWindow.size : undefined,
      });
      const afterAttention = add(before, linear(attended, self_attn.o_proj));
      const inner = rmsNorm(afterAttention, post_attention_layernorm.weight, epsilon);
      const gated = mul(activate(activation, linear(inner, mlp.gate_proj)), linear(inner, mlp.up_proj));
      return add(afterAttention, linear(gated, mlp.down_proj));
    });
    hidden = layer(hidden);
  });
  return rmsNorm(hidden, body.norm.weight, epsilon);
}

function rotate(x: Tensor, { rows, cos, sin }: Rotation, heads: number): Tensor {
  return rotary(x, rows, cos, sin, heads);
}

/** Norm of each head of x [batch, time, heads · size], where there is one. */
function headNorm(x: Tensor, norm: Weight<Tensor> | undefined, heads: number, epsilon: number): Tensor {
  if (!norm) return x;
  const [batch, time, width] = x.shape as [number, number, number];
  return reshape(rmsNorm(reshape(x, [batch, time, heads, width / heads]), norm.weight, epsilon), x.shape);
}
