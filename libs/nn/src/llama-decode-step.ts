import { cachedAttention, cacheMask, gather, reshape, rmsNorm, rotary, type Tensor } from '@crucible/tensor';
import { headSize, type LlamaConfig } from './llama-config.ts';
import type { LanguageModel } from './llama-parameters.ts';
import { applyLayer, languageLogits, linear } from './llama.ts';
import { rotaryTables } from './rope.ts';

export interface DecodeStepInput {
  /** The newest token of each row, int32 [batch]. */
  readonly ids: Tensor;
  /** Tokens of each row that are in the cache already, int32 [batch]: also the position of the newest. */
  readonly lengths: Tensor;
  /** Cached rotated keys, one [batch, keyValueHeads, capacity, headSize] a layer. */
  readonly keys: readonly Tensor[];
  /** Cached values, likewise. */
  readonly values: readonly Tensor[];
}

export interface DecodeStepOutput {
  /** Next-token logits [batch, vocabulary]. */
  readonly logits: Tensor;
  /** What the step adds to the cache: one [batch, keyValueHeads · headSize] a layer. */
  readonly newKeys: readonly Tensor[];
  readonly newValues: readonly Tensor[];
}

/** One token for every row of a batch, over a cache that the caller owns and extends. */
export function decodeStep(
  model: LanguageModel<Tensor>,
  config: LlamaConfig,
  { ids, lengths, keys, values }: DecodeStepInput,
): DecodeStepOutput {
  const batch = ids.shape[0]!;
  const { heads, keyValueHeads } = config;
  const tables = rotaryTables(ids.graph, config);
  const positions = reshape(lengths, [batch, 1]);
  const mask = cacheMask(lengths, keys[0]!.shape[2]!);
  const newKeys: Tensor[] = [];
  const newValues: Tensor[] = [];
  let hidden = gather(model.model.embed_tokens.weight, reshape(ids, [batch, 1]));
  model.model.layers.forEach((layer, i) => {
    hidden = applyLayer(layer, config, hidden, (normed) => {
      const query = rotary(linear(normed, layer.self_attn.q_proj), positions, tables.cos, tables.sin, heads);
      const key = rotary(linear(normed, layer.self_attn.k_proj), positions, tables.cos, tables.sin, keyValueHeads);
      const value = linear(normed, layer.self_attn.v_proj);
      newKeys.push(reshape(key, [batch, keyValueHeads * headSize(config)]));
      newValues.push(reshape(value, [batch, keyValueHeads * headSize(config)]));
      return cachedAttention(query, key, value, { keys: keys[i]!, values: values[i]!, mask });
    });
  });
  const normed = rmsNorm(reshape(hidden, [batch, config.hiddenSize]), model.model.norm.weight, config.rmsNormEpsilon);
  return { logits: languageLogits(model, normed), newKeys, newValues };
}
