/** Decoders of every family: one forward pass over whole sequences, one token at a time over a cache, and heads. */
import type { Random } from '@crucible/foundation';
import {
  broadcastTo,
  cachedAttention,
  cacheMask,
  causalAttention,
  floats,
  gather,
  reshape,
  type Tensor,
} from '@crucible/tensor';
import { decoderMask, windowed, windowedCache } from './attention-mask.ts';
import type { DecoderInput } from './decoder-family.ts';
import { headSize } from './decoder-sizes.ts';
import { type DecoderConfig, decoderFamily } from './families.ts';
import { joinHeads, linear, splitHeads, type Weight } from './linear.ts';
import { initialParameters, type ModelWeights, type ParameterSpec, type ParameterTree } from './parameters.ts';

/** Keys and values of every layer as attention reads them, [batch, keyValueHeads, time, headSize]. */
export interface KeysAndValues {
  readonly keys: Tensor[];
  readonly values: Tensor[];
}

/** The head of a decoder: next tokens, or so many numbers a token (1: reward and value models). */
export type DecoderHead = { readonly kind: 'language' } | { readonly kind: 'scores'; readonly count: number };

/** The branch of a whole model that is the decoder without its head. */
export function bodyOf<Leaf>(weights: ParameterTree<Leaf>, config: DecoderConfig): ParameterTree<Leaf> {
  return weights[decoderFamily(config).body] as ParameterTree<Leaf>;
}

/** Parameters of a whole model, as transformers names them, in the order of the tree. */
export function* decoderParameters(config: DecoderConfig, head: DecoderHead): Generator<ParameterSpec> {
  const { body, parameters } = decoderFamily(config);
  for (const spec of parameters(config)) yield { ...spec, path: `${body}.${spec.path}` };
  const { hiddenSize, vocabularySize, tieEmbeddings } = config;
  if (head.kind === 'scores') yield { path: 'score.weight', shape: [head.count, hiddenSize], role: 'head' };
  else if (!tieEmbeddings) yield { path: 'lm_head.weight', shape: [vocabularySize, hiddenSize], role: 'head' };
}

/** Hidden states after the last norm, [batch, time, hiddenSize], and what a decoding cache needs. */
export function decode(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  input: DecoderInput,
): { readonly hidden: Tensor; readonly cache: KeysAndValues } {
  const { ids } = input;
  const positions = input.positions ?? countUp(ids);
  const mask = decoderMask(input);
  const cache: KeysAndValues = { keys: [], values: [] };
  const hidden = decoderFamily(config).hidden(
    bodyOf(weights, config),
    config,
    { ids, positions },
    (_layer, { query, key, value, window }) => {
      const [keys, values] = [splitHeads(key, config.keyValueHeads), splitHeads(value, config.keyValueHeads)];
      cache.keys.push(keys);
      cache.values.push(values);
      const visible = window === undefined ? mask : windowed(mask, positions, window);
      return joinHeads(causalAttention(splitHeads(query, config.heads), keys, values, visible));
    },
  );
  return { hidden, cache };
}

export interface DecodeStepInput {
  /** The newest token of each row, int32 [batch]. */
  readonly ids: Tensor;
  /** Tokens of each row that are in the cache already, int32 [batch]: also the position of the newest. */
  readonly lengths: Tensor;
  /** Cached keys, one [batch, keyValueHeads, capacity, headSize] a layer. */
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
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  { ids, lengths, keys, values }: DecodeStepInput,
): DecodeStepOutput {
  const batch = ids.shape[0]!;
  const width = config.keyValueHeads * headSize(config);
  const mask = cacheMask(lengths, keys[0]!.shape[2]!);
  const newKeys: Tensor[] = [];
  const newValues: Tensor[] = [];
  const column = (x: Tensor): Tensor => reshape(x, [batch, 1]);
  const hidden = decoderFamily(config).hidden(
    bodyOf(weights, config),
    config,
    { ids: column(ids), positions: column(lengths) },
    (layer, { query, key, value, window }) => {
      newKeys.push(reshape(key, [batch, width]));
      newValues.push(reshape(value, [batch, width]));
      const visible = window === undefined ? mask : windowedCache(mask, lengths, window);
      return cachedAttention(query, key, value, { keys: keys[layer]!, values: values[layer]!, mask: visible });
    },
  );
  const logits = languageLogits(weights, config, reshape(hidden, [batch, config.hiddenSize]));
  return { logits, newKeys, newValues };
}

/** Next-token logits [..., vocabulary] of hidden states [..., hiddenSize]. */
export function languageLogits(weights: ParameterTree<Tensor>, config: DecoderConfig, hidden: Tensor): Tensor {
  return linear(hidden, { weight: headMatrix(weights, config) });
}

/** The matrix [vocabulary, hiddenSize] that makes logits of hidden states. */
export function headMatrix(weights: ParameterTree<Tensor>, config: DecoderConfig): Tensor {
  if (config.tieEmbeddings) return embeddingsOf(weights, config);
  return (weights['lm_head'] as unknown as Weight<Tensor>).weight;
}

/** The embedding matrix [vocabulary, hiddenSize]. */
export function embeddingsOf<Leaf>(weights: ParameterTree<Leaf>, config: DecoderConfig): Leaf {
  const path = decoderFamily(config).embeddings.split('.');
  return path.reduce<unknown>((at, key) => (at as ParameterTree<Leaf>)[key], bodyOf(weights, config)) as Leaf;
}

/** What the head `score` says of hidden states [..., hiddenSize]: [..., count]. */
export function headScores(weights: ParameterTree<Tensor>, hidden: Tensor): Tensor {
  return linear(hidden, weights['score'] as unknown as Weight<Tensor>);
}

/** One number for each hidden state [..., hiddenSize] → [...]: of a head `score` of one number. */
export function scalarScores(weights: ParameterTree<Tensor>, hidden: Tensor): Tensor {
  return reshape(headScores(weights, hidden), hidden.shape.slice(0, -1));
}

/** Hidden states [batch, time, width] at indices counted over all rows, int32 [...at] → [...at, width]. */
export function hiddenRows(hidden: Tensor, at: Tensor): Tensor {
  const [batch, time, width] = hidden.shape as [number, number, number];
  return gather(reshape(hidden, [batch * time, width]), at);
}

/** Random parameters of a language model: see `initialParameters`. */
export function initLanguageModel(config: DecoderConfig, random: Random): ModelWeights {
  const weights = initialParameters(decoderParameters(config, { kind: 'language' }), random, config);
  decoderFamily(config).prepare?.(config, weights, random);
  return weights;
}

/** A model with the body of `weights` and a scalar head: normal with deviation 1/√(hiddenSize + 1) (Stiennon et al. 2020). */
export function withScalarHead(weights: ModelWeights, config: DecoderConfig, random: Random): ModelWeights {
  const { hiddenSize } = config;
  const scale = 1 / Math.sqrt(hiddenSize + 1);
  const values = Float32Array.from({ length: hiddenSize }, () => random.normal() * scale);
  return { [decoderFamily(config).body]: bodyOf(weights, config), score: { weight: floats([1, hiddenSize], values) } };
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
