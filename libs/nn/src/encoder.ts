/**
 * Encoders: every token sees every other. LayerNorm after each part, learned positions and token types. Equal to
 * transformers' BertModel and RobertaModel up to rounding.
 */
import { invalidInput, type Random } from '@crucible/foundation';
import {
  add,
  cast,
  div,
  gather,
  layerNorm,
  matmul,
  max,
  maximum,
  mul,
  type NdArray,
  reshape,
  sliceAxis,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
} from '@crucible/tensor';
import { activate } from './activation.ts';
import { paddingMask } from './attention-mask.ts';
import { assertWhole } from './decoder-sizes.ts';
import type { EncoderSizes } from './encoder-family.ts';
import { type EncoderConfig, encoderFamily } from './families.ts';
import { type Affine, joinHeads, linear, splitHeads, type Weight } from './linear.ts';
import { setNeighbourHeads } from './neighbour-heads.ts';
import { initialParameters, type ModelWeights, type ParameterSpec, type ParameterTree } from './parameters.ts';

/** Of the embeddings of an encoder that begins at random. */
export const embeddingDeviation = 0.3;

/** What stands on an encoder: nothing but pooling, a classifier of whole sequences, or the prediction of masked tokens. */
export type EncoderHead =
  | { readonly kind: 'embedding' }
  | { readonly kind: 'masked-language' }
  | { readonly kind: 'classifier'; readonly labels: number };

export interface EncoderInput {
  /** Token ids, int32 [batch, time]; padding on the right. */
  readonly ids: Tensor;
  /** 1 for real tokens, 0 for padding, int32 [batch, time]. */
  readonly mask: Tensor;
  /** Token types, int32 [batch, time]. Default: all 0. */
  readonly types?: Tensor;
}

type Norm<Leaf> = Required<Affine<Leaf>>;

interface EncoderLayer<Leaf> {
  readonly attention: {
    readonly self: Readonly<Record<'query' | 'key' | 'value', Affine<Leaf>>>;
    readonly output: { readonly dense: Affine<Leaf>; readonly LayerNorm: Norm<Leaf> };
  };
  readonly intermediate: { readonly dense: Affine<Leaf> };
  readonly output: { readonly dense: Affine<Leaf>; readonly LayerNorm: Norm<Leaf> };
}

export interface EncoderBody<Leaf> {
  readonly embeddings: {
    readonly word_embeddings: Weight<Leaf>;
    readonly position_embeddings: Weight<Leaf>;
    readonly token_type_embeddings: Weight<Leaf>;
    readonly LayerNorm: Norm<Leaf>;
  };
  readonly encoder: { readonly layer: readonly EncoderLayer<Leaf>[] };
  readonly pooler?: { readonly dense: Affine<Leaf> };
}

/** Parameters of a whole model, as transformers names them, in the order of the tree. */
export function* encoderParameters(config: EncoderConfig, head: EncoderHead): Generator<ParameterSpec> {
  const family = encoderFamily(config);
  const { hiddenSize, intermediateSize } = config;
  const matrix = (path: string, out: number, inputs: number, role: 'matrix' | 'output' = 'matrix'): ParameterSpec[] => [
    { path: `${family.body}.${path}.weight`, shape: [out, inputs], role },
    { path: `${family.body}.${path}.bias`, shape: [out], role: 'bias' },
  ];
  const norm = (path: string): ParameterSpec[] => [
    { path: `${family.body}.${path}.weight`, shape: [hiddenSize], role: 'norm' },
    { path: `${family.body}.${path}.bias`, shape: [hiddenSize], role: 'bias' },
  ];
  const table = (path: string, rows: number, role: 'embedding' | 'place'): ParameterSpec => ({
    path: `${family.body}.embeddings.${path}.weight`,
    shape: [rows, hiddenSize],
    role,
  });
  yield table('word_embeddings', config.vocabularySize, 'embedding');
  yield table('position_embeddings', family.positionRows(config), 'place');
  yield table('token_type_embeddings', config.tokenTypes, 'place');
  yield* norm('embeddings.LayerNorm');
  for (let i = 0; i < config.layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const part of ['query', 'key', 'value'])
      yield* matrix(`${layer}.attention.self.${part}`, hiddenSize, hiddenSize);
    yield* matrix(`${layer}.attention.output.dense`, hiddenSize, hiddenSize, 'output');
    yield* norm(`${layer}.attention.output.LayerNorm`);
    yield* matrix(`${layer}.intermediate.dense`, intermediateSize, hiddenSize);
    yield* matrix(`${layer}.output.dense`, hiddenSize, intermediateSize, 'output');
    yield* norm(`${layer}.output.LayerNorm`);
  }
  // One that only pools has no use for the pooler, but keeps it for others where it is there.
  const pooler = matrix('pooler.dense', hiddenSize, hiddenSize);
  if (head.kind === 'embedding') yield* pooler.map((spec) => ({ ...spec, optional: true as const }));
  if (head.kind === 'classifier' && family.classifiesPooled) yield* pooler;
  if (head.kind === 'classifier') yield* family.classifierParameters(config, head.labels);
  if (head.kind === 'masked-language') yield* family.maskedParameters(config);
}

/** Hidden states of the last layer, [batch, time, hiddenSize]. */
export function encode(
  weights: ParameterTree<Tensor>,
  config: EncoderConfig,
  { ids, mask, types }: EncoderInput,
): Tensor {
  const body = bodyView(weights, config);
  const [batch, time] = ids.shape as [number, number];
  const { embeddings } = body;
  const norm = (x: Tensor, { weight, bias }: Norm<Tensor>): Tensor =>
    layerNorm(x, weight, bias, config.layerNormEpsilon);
  const tokenTypes = types ?? ids.graph.constant('int32', [batch, time], new Int32Array(batch * time));
  const visible = paddingMask(mask);
  let hidden = norm(
    add(
      add(gather(embeddings.word_embeddings.weight, ids), gather(embeddings.token_type_embeddings.weight, tokenTypes)),
      gather(embeddings.position_embeddings.weight, encoderFamily(config).positions(ids, config)),
    ),
    embeddings.LayerNorm,
  );
  for (const { attention, intermediate, output } of body.encoder.layer) {
    const part = (projection: Affine<Tensor>): Tensor => splitHeads(linear(hidden, projection), config.heads);
    const { query, key, value } = attention.self;
    const mixed = joinHeads(bidirectional(part(query), part(key), part(value), visible));
    const attended = norm(add(linear(mixed, attention.output.dense), hidden), attention.output.LayerNorm);
    const inner = activate(config.activation, linear(attended, intermediate.dense));
    hidden = norm(add(linear(inner, output.dense), attended), output.LayerNorm);
  }
  return hidden;
}

/** Queries over keys and values [b, h, t, d] that `mask` leaves visible → [b, h, t, d]. */
function bidirectional(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor): Tensor {
  const scores = matmul(queries, keys, { transposeB: true, alpha: 1 / Math.sqrt(queries.shape[3]!) });
  return matmul(softmax(add(scores, mask)), values);
}

/** Logits [..., vocabulary] of the tokens that stand at hidden states [..., hiddenSize]. */
export function maskedLanguageLogits(weights: ParameterTree<Tensor>, config: EncoderConfig, hidden: Tensor): Tensor {
  const { word_embeddings: tied } = bodyView(weights, config).embeddings;
  return encoderFamily(config).maskedLogits(weights, config, hidden, tied.weight);
}

/** Logits [batch, labels] of whole sequences, from their hidden states [batch, time, hiddenSize]. */
export function classifierLogits(weights: ParameterTree<Tensor>, config: EncoderConfig, hidden: Tensor): Tensor {
  const family = encoderFamily(config);
  const first = firstToken(hidden);
  const { pooler } = bodyView(weights, config);
  return family.classifierLogits(weights, family.classifiesPooled ? tanh(linear(first, pooler!.dense)) : first);
}

export const poolingModes = ['mean', 'cls', 'max', 'mean-sqrt-length'] as const;

/** How the states of a sequence's tokens become one vector: as sentence-transformers does it. */
export interface Pooling {
  readonly mode: (typeof poolingModes)[number];
  /** Whether vectors get length 1. */
  readonly normalize: boolean;
}

/** One vector a sequence, [batch, hiddenSize], of hidden states [batch, time, hiddenSize]. */
export function pool(hidden: Tensor, mask: Tensor, { mode, normalize }: Pooling): Tensor {
  const pooled = poolBy(mode, hidden, mask);
  if (!normalize) return pooled;
  return div(pooled, maximum(sqrt(sum(square(pooled), { axes: -1, keepDims: true })), 1e-12));
}

function poolBy(mode: Pooling['mode'], hidden: Tensor, mask: Tensor): Tensor {
  const [batch, time] = mask.shape as [number, number];
  const real = reshape(cast(mask, 'float32'), [batch, time, 1]);
  const total = (): Tensor => sum(mul(hidden, real), { axes: 1 });
  const count = (): Tensor => maximum(sum(real, { axes: 1 }), 1e-9);
  switch (mode) {
    case 'mean':
      return div(total(), count());
    case 'mean-sqrt-length':
      return div(total(), sqrt(count()));
    case 'cls':
      return firstToken(hidden);
    case 'max':
      return max(add(hidden, mul(sub(1, real), -1e9)), { axes: 1 });
  }
}

/**
 * Random parameters (see `initialParameters`), with heads that look at the words beside one. The deviation of the embeddings
 * says nothing to the layers, which see them normalised, but all to the optimizer: at the usual 0.02 a step of Adam at 0.005
 * moves a row by a quarter of its length, and no word comes to mean anything (docs/decisions/0012).
 */
export function initEncoder(config: EncoderConfig, head: EncoderHead, random: Random): ModelWeights {
  const deviation = embeddingDeviation;
  const weights = initialParameters(encoderParameters(config, head), random, {
    embeddings: deviation,
    places: deviation,
  });
  const body = weights[encoderFamily(config).body] as unknown as EncoderBody<NdArray>;
  setNeighbourHeads(config, body, { deviation, random: random.fork('places') });
  return weights;
}

/** Throws when the sizes do not make a model; `where` names their source. */
export function assertEncoderConfig(config: EncoderSizes, where: string): void {
  const names = ['vocabularySize', 'hiddenSize', 'intermediateSize', 'layers', 'heads', 'maxPositions'] as const;
  assertWhole(config, [...names, 'tokenTypes'], where);
  const fail = (what: string): never => {
    throw invalidInput(`${where}: ${what}`, { at: where });
  };
  if (config.hiddenSize % config.heads !== 0)
    fail(`hiddenSize ${config.hiddenSize} does not divide into ${config.heads} heads`);
  if (!(config.layerNormEpsilon > 0)) fail('layerNormEpsilon must be above 0');
}

function firstToken(hidden: Tensor): Tensor {
  const [batch, , width] = hidden.shape as [number, number, number];
  return reshape(sliceAxis(hidden, 1, 0, 1), [batch, width]);
}

function bodyView(weights: ParameterTree<Tensor>, config: EncoderConfig): EncoderBody<Tensor> {
  return weights[encoderFamily(config).body] as unknown as EncoderBody<Tensor>;
}
