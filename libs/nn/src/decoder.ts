/** Decoders of every family: one forward pass over whole sequences, one token at a time over a cache, and heads. */
import type { Random } from '@crucible/foundation';
import {
  add,
  broadcastTo,
  cachedAttention,
  cacheMask,
  causalAttention,
  causalMask,
  checkpoint,
  concat,
  floats,
  gather,
  logProbability,
  reshape,
  type Tensor,
  tokenLogProbability,
} from '@crucible/tensor';
import { countUp, decoderMask, windowed, windowedCache, withEarlierKeys } from './attention-mask.ts';
import type { DecoderInput, KeysAndValues, Recompute, TokensAt } from './decoder-family.ts';
import { headSize } from './decoder-sizes.ts';
import { type DecoderConfig, decoderFamily } from './families.ts';
import { type Affine, joinHeads, linear, lowRankRows, splitHeads, type Weight } from './linear.ts';
import { initialParameters, type ModelWeights, type ParameterSpec, type ParameterTree } from './parameters.ts';

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

/** Hidden states after the last norm, [batch, time, hiddenSize], and, unless layers are recomputed, what a decoding cache needs of the tokens. */
export function decode(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  input: DecoderInput,
): { readonly hidden: Tensor; readonly cache: KeysAndValues } {
  const { ids, prefix } = input;
  const [batch, time] = ids.shape as [number, number];
  const earlier = prefix?.keys[0]!.shape[2] ?? 0;
  const counted = input.positions ?? countUp(ids.graph, batch, time);
  const positions = earlier === 0 ? counted : add(counted, earlier);
  const mask = decoderMask(input);
  return readWhole(weights, config, { tokens: { ids }, positions }, { mask, prefix }, input.recompute);
}

/** Keys and values of tokens that are given by their embeddings [batch, time, hiddenSize], and that come first. */
export function readEmbeddings(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  embeddings: Tensor,
): KeysAndValues {
  const [batch, time] = embeddings.shape as [number, number];
  const { graph } = embeddings;
  const given = { tokens: { embeddings }, positions: countUp(graph, batch, time) };
  return readWhole(weights, config, given, { mask: causalMask(graph, time), prefix: undefined }).cache;
}

interface Visible {
  /** Among the tokens themselves. */
  readonly mask: Tensor;
  readonly prefix: KeysAndValues | undefined;
}

function readWhole(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  given: TokensAt,
  { mask: own, prefix }: Visible,
  recompute: Recompute = 'none',
): { readonly hidden: Tensor; readonly cache: KeysAndValues } {
  const batch = given.positions.shape[0]!;
  const earlier = prefix?.keys[0]!.shape[2] ?? 0;
  const mask = earlier === 0 ? own : withEarlierKeys(own, earlier);
  const [allKeys, allValues]: [Tensor[], Tensor[]] = [[], []];
  const after = (first: Tensor | undefined, rest: Tensor): Tensor =>
    first ? concat([broadcastTo(first, [batch, ...first.shape.slice(1)]), rest], 2) : rest;
  const hidden = decoderFamily(config).hidden(
    bodyOf(weights, config),
    config,
    given,
    (layer, { query, key, value, window }) => {
      const [keys, values] = [splitHeads(key, config.keyValueHeads), splitHeads(value, config.keyValueHeads)];
      // Within a layer that is worked out again they are nobody else's.
      if (recompute === 'none') {
        allKeys.push(keys);
        allValues.push(values);
      }
      const visible = window === undefined ? mask : windowed(mask, given.positions, window, earlier);
      const queries = splitHeads(query, config.heads);
      const [seenKeys, seenValues] = [after(prefix?.keys[layer], keys), after(prefix?.values[layer], values)];
      return joinHeads(causalAttention(queries, seenKeys, seenValues, visible, { earlier }));
    },
    (layer) => (recompute === 'block' ? checkpoint(layer) : layer),
  );
  return { hidden, cache: { keys: allKeys, values: allValues } };
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
    { tokens: { ids: column(ids) }, positions: column(lengths) },
    (layer, { query, key, value, window }) => {
      newKeys.push(reshape(key, [batch, width]));
      newValues.push(reshape(value, [batch, width]));
      const visible = window === undefined ? mask : windowedCache(mask, lengths, window);
      return cachedAttention(query, key, value, { keys: keys[layer]!, values: values[layer]!, mask: visible });
    },
    (layer) => layer,
  );
  const logits = languageLogits(weights, config, reshape(hidden, [batch, config.hiddenSize]));
  return { logits, newKeys, newValues };
}

/** What logits are made of: hidden · headᵀ. Losses take them so, since those of a large vocabulary are never to be there whole. */
export interface Predictions {
  /** [..., width] */
  readonly hidden: Tensor;
  /** [vocabulary, width] */
  readonly head: Tensor;
}

/** Next-token logits, in two factors, of hidden states [..., hiddenSize]; not of a head of few bits. */
export function predictionsOf(weights: ParameterTree<Tensor>, config: DecoderConfig, hidden: Tensor): Predictions {
  const { weight, lowRank } = headOf(weights, config);
  if (!lowRank) return { hidden, head: weight };
  // x Wᵀ + y upᵀ is one product of both side by side.
  return { hidden: concat([hidden, lowRankRows(hidden, lowRank)], -1), head: concat([weight, lowRank.up], -1) };
}

/** Next-token logits [..., vocabulary] of hidden states [..., hiddenSize]. */
export function languageLogits(weights: ParameterTree<Tensor>, config: DecoderConfig, hidden: Tensor): Tensor {
  return linear(hidden, headOf(weights, config));
}

/** log p(target) of next tokens: hidden [n, hiddenSize], targets int32 [n] → [n]. */
export function languageLogProbability(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  hidden: Tensor,
  targets: Tensor,
): Tensor {
  // Of a matrix of few bits there is no other product.
  if (headOf(weights, config).quantized) return logProbability(languageLogits(weights, config, hidden), targets);
  const { hidden: factor, head } = predictionsOf(weights, config, hidden);
  return tokenLogProbability(factor, head, targets);
}

function headOf(weights: ParameterTree<Tensor>, config: DecoderConfig): Affine<Tensor> {
  const head = weights['lm_head'] as unknown as Affine<Tensor> | undefined;
  // A tied matrix may be there once more, of few bits.
  if (head && (!config.tieEmbeddings || head.quantized)) return head;
  return { weight: embeddingsOf(weights, config) };
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
  const weights = initialParameters(decoderParameters(config, { kind: 'language' }), random, {
    // The stream is normalised before every part. A matrix that is the head too has the deviation of Radford et al. (2019).
    embeddings: config.tieEmbeddings ? 0.02 : 1,
    places: 0.02,
  });
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
