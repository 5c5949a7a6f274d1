/**
 * The forward pass of a Llama-style decoder (Touvron et al. 2023): RMSNorm before each part, rotary positions,
 * grouped-query attention, SwiGLU. Equal to transformers' LlamaModel up to rounding.
 */
import {
  add,
  broadcastTo,
  cast,
  causalAttention,
  causalMask,
  equal,
  gather,
  maskedScore,
  matmul,
  maximum,
  mul,
  reshape,
  rmsNorm,
  rotary,
  silu,
  sub,
  type Tensor,
  transpose,
} from '@crucible/tensor';
import type { LlamaConfig } from './llama-config.ts';
import type { LanguageModel, LlamaBody, LlamaLayer, ScalarModel, Weight } from './llama-parameters.ts';
import { rotaryTables } from './rope.ts';

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
}

/** Rotated keys and values of every layer, [batch, keyValueHeads, time, headSize]. */
export interface KeysAndValues {
  readonly keys: Tensor[];
  readonly values: Tensor[];
}

/** Hidden states after the last norm, [batch, time, hiddenSize], and what a decoding cache needs. */
export function decode(
  body: LlamaBody<Tensor>,
  config: LlamaConfig,
  { ids, positions, segments, branches }: DecoderInput,
): { readonly hidden: Tensor; readonly cache: KeysAndValues } {
  const { graph } = ids;
  const [batch, time] = ids.shape as [number, number];
  const places = positions ?? countUp(ids);
  const tables = rotaryTables(graph, config);
  const mask = attentionMask(ids, segments, branches);
  const cache: KeysAndValues = { keys: [], values: [] };
  let hidden = gather(body.embed_tokens.weight, ids);
  for (const layer of body.layers) {
    const attend = (normed: Tensor): Tensor => {
      const q = rotary(linear(normed, layer.self_attn.q_proj), places, tables.cos, tables.sin, config.heads);
      const k = rotary(linear(normed, layer.self_attn.k_proj), places, tables.cos, tables.sin, config.keyValueHeads);
      const keys = splitHeads(k, config.keyValueHeads);
      const values = splitHeads(linear(normed, layer.self_attn.v_proj), config.keyValueHeads);
      cache.keys.push(keys);
      cache.values.push(values);
      return joinHeads(causalAttention(splitHeads(q, config.heads), keys, values, mask));
    };
    hidden = applyLayer(layer, config, hidden, attend);
  }
  const normed = rmsNorm(hidden, body.norm.weight, config.rmsNormEpsilon);
  return { hidden: reshape(normed, [batch, time, config.hiddenSize]), cache };
}

/** One layer; `attend` maps normed hidden states to attention outputs [batch, time, heads · headSize]. */
export function applyLayer(
  layer: LlamaLayer<Tensor>,
  config: LlamaConfig,
  hidden: Tensor,
  attend: (normed: Tensor) => Tensor,
): Tensor {
  const attended = attend(rmsNorm(hidden, layer.input_layernorm.weight, config.rmsNormEpsilon));
  const afterAttention = add(hidden, linear(attended, layer.self_attn.o_proj));
  const normed = rmsNorm(afterAttention, layer.post_attention_layernorm.weight, config.rmsNormEpsilon);
  const gated = mul(silu(linear(normed, layer.mlp.gate_proj)), linear(normed, layer.mlp.up_proj));
  return add(afterAttention, linear(gated, layer.mlp.down_proj));
}

/** x Wᵀ for a weight [out, in]. */
export function linear(x: Tensor, { weight }: Weight<Tensor>): Tensor {
  return matmul(x, weight, { transposeB: true });
}

/** Next-token logits [..., vocabulary] of hidden states [..., hiddenSize]. */
export function languageLogits(model: LanguageModel<Tensor>, hidden: Tensor): Tensor {
  return linear(hidden, model.lm_head ?? model.model.embed_tokens);
}

/** One number for each hidden state [..., hiddenSize] → [...]. */
export function scalarScores(model: ScalarModel<Tensor>, hidden: Tensor): Tensor {
  return reshape(linear(hidden, model.score), hidden.shape.slice(0, -1));
}

/** Hidden states [batch, time, width] at indices counted over all rows, int32 [...at] → [...at, width]. */
export function hiddenRows(hidden: Tensor, at: Tensor): Tensor {
  const [batch, time, width] = hidden.shape as [number, number, number];
  return gather(reshape(hidden, [batch * time, width]), at);
}

/** [batch, time, heads · size] → [batch, heads, time, size]. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, time, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, time, size] → [batch, time, heads · size]. */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, time, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/** 0 where a query may look and far below where not: later places, other segments or branches. Broadcasts over heads. */
function attentionMask(ids: Tensor, segments: Tensor | undefined, branches: Tensor | undefined): Tensor {
  const [batch, time] = ids.shape as [number, number];
  const mask = causalMask(ids.graph, time);
  if (!segments) return mask;
  const ofQueries = (numbers: Tensor): Tensor => reshape(numbers, [batch, 1, time, 1]);
  const ofKeys = (numbers: Tensor): Tensor => reshape(numbers, [batch, 1, 1, time]);
  const same = cast(equal(ofQueries(segments), ofKeys(segments)), 'float32');
  if (!branches) return add(mul(sub(1, same), maskedScore), mask);
  const sameBranch = cast(equal(ofQueries(branches), ofKeys(branches)), 'float32');
  const beginning = cast(equal(ofKeys(branches), 0), 'float32');
  return add(mul(sub(1, mul(same, maximum(sameBranch, beginning))), maskedScore), mask);
}

/** 0, 1, 2, … along the time axis of ids [batch, time]. */
function countUp(ids: Tensor): Tensor {
  const time = ids.shape[1]!;
  const row = ids.graph.constant(
    'int32',
    [1, time],
    Int32Array.from({ length: time }, (_, t) => t),
  );
  return broadcastTo(row, ids.shape);
}
