/**
 * Virtual tokens that come before every text: what is learned of them is either their keys and values in every layer (prefix
 * tuning, Li & Liang 2021) or their embeddings (prompt tuning, Lester et al. 2021). Nothing comes before them, so that their
 * keys and values are the same for every text: a soft prompt is a prefix that the model itself works out.
 *
 * The parameters are one matrix under the name that PEFT gives it, `prompt_embeddings`: [n, layers · 2 · keyValueHeads ·
 * headSize] (keys, then values, of one layer after the other) or [n, hiddenSize].
 */
import { invalidInput, type Random } from '@crucible/foundation';
import { floats, type NdArray, reshape, sliceAxis, type Tensor, transpose } from '@crucible/tensor';
import { embeddingsOf, readEmbeddings } from '../decoder.ts';
import type { KeysAndValues } from '../decoder-family.ts';
import { headSize } from '../decoder-sizes.ts';
import type { DecoderConfig } from '../families.ts';
import type { ModelWeights, ParameterTree } from '../parameters.ts';

export interface PrefixConfig {
  readonly kind: 'prefix';
  /** Virtual tokens. */
  readonly tokens: number;
}

export interface PromptConfig {
  readonly kind: 'prompt';
  /** Virtual tokens. */
  readonly tokens: number;
}

/** What embeddings of a soft prompt begin as: normal numbers, those of random tokens, or those of given ones, in turn. */
export type PromptStart =
  | { readonly from: 'random' }
  | { readonly from: 'vocabulary' }
  | { readonly from: 'tokens'; readonly ids: readonly number[] };

interface VirtualParameters<Leaf> {
  readonly prompt_embeddings: Leaf;
}

/** The shape of `prompt_embeddings`. */
export function virtualShape({ kind, tokens }: PrefixConfig | PromptConfig, model: DecoderConfig): [number, number] {
  return [tokens, kind === 'prefix' ? model.layers * 2 * model.keyValueHeads * headSize(model) : model.hiddenSize];
}

/** The keys and values that the virtual tokens have under a model: [1, keyValueHeads, n, headSize] a layer. */
export function virtualPrefix(
  weights: ParameterTree<Tensor>,
  model: DecoderConfig,
  parameters: ParameterTree<Tensor>,
  config: PrefixConfig | PromptConfig,
): KeysAndValues {
  const { prompt_embeddings: learned } = parameters as unknown as VirtualParameters<Tensor>;
  if (config.kind === 'prompt') return readEmbeddings(weights, model, reshape(learned, [1, ...learned.shape]));
  const { layers, keyValueHeads } = model;
  const size = headSize(model);
  // [n, layers · 2, heads, size] → [layers · 2, heads, n, size]
  const split = transpose(reshape(learned, [config.tokens, layers * 2, keyValueHeads, size]), [1, 2, 0, 3]);
  const part = (i: number): Tensor => sliceAxis(split, 0, i, i + 1);
  const each = Array.from({ length: layers }, (_, i) => i);
  return { keys: each.map((i) => part(2 * i)), values: each.map((i) => part(2 * i + 1)) };
}

/**
 * A prefix before the first step: the keys and values of given tokens (see `virtualPrefix`, for whose graph these are
 * embeddings), as arrays, in the layout of the parameters.
 */
export function prefixParameters(keys: readonly NdArray[], values: readonly NdArray[]): ParameterTree<NdArray> {
  const [, heads, tokens, size] = keys[0]!.shape as [number, number, number, number];
  const width = keys.length * 2 * heads * size;
  const data = new Float32Array(tokens * width);
  keys.forEach((key, layer) => {
    [key, values[layer]!].forEach(({ data: source }, which) => {
      for (let head = 0; head < heads; head++) {
        for (let token = 0; token < tokens; token++) {
          const at = token * width + ((2 * layer + which) * heads + head) * size;
          const from = (head * tokens + token) * size;
          data.set((source as Float32Array).subarray(from, from + size), at);
        }
      }
    });
  });
  return { prompt_embeddings: floats([tokens, width], data) };
}

/** The embeddings that a soft prompt begins as. */
export function initPrompt(
  { tokens }: Pick<PromptConfig, 'tokens'>,
  model: DecoderConfig,
  weights: ModelWeights,
  start: PromptStart,
  random: Random,
): ParameterTree<NdArray> {
  const { vocabularySize, hiddenSize } = model;
  const table = embeddingsOf<NdArray>(weights, model).data as Float32Array;
  const data = new Float32Array(tokens * hiddenSize);
  if (start.from === 'random') {
    // As long as embeddings are.
    const deviation = Math.sqrt(table.reduce((sum, value) => sum + value * value, 0) / table.length);
    data.forEach((_, i) => (data[i] = random.normal() * deviation));
  } else {
    if (start.from === 'tokens' && start.ids.length === 0)
      throw invalidInput('adapter.text has no token; a soft prompt begins as its tokens', { at: 'adapter.text' });
    for (let token = 0; token < tokens; token++) {
      const id = start.from === 'tokens' ? start.ids[token % start.ids.length]! : random.integer(0, vocabularySize - 1);
      data.set(table.subarray(id * hiddenSize, (id + 1) * hiddenSize), token * hiddenSize);
    }
  }
  return { prompt_embeddings: floats([tokens, hiddenSize], data) };
}
