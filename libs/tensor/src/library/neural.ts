import { invalidInput } from '@crucible/foundation';
import type { Tensor } from '../ir/tensor.ts';
import { formatShape, resolveAxis, sizeOf } from '../shape.ts';
import { full } from './creation.ts';
import { add, mul, reciprocal, sqrt, sub } from './elementwise.ts';
import { takeAlong } from './indexing.ts';
import { reshape } from './movement.ts';
import { logSumExp, mean, variance } from './reduction.ts';

/** Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019), times `weight` [d]. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return x.graph.node('rmsNorm', [x, weight], { epsilon });
}

/** Layer normalisation over the last axis (Ba et al. 2016), times `weight` [d] plus `bias` [d]. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return x.graph.node('layerNorm', [x, weight, bias], { epsilon });
}

export interface GroupNormOptions {
  /** Added to the variance. Default: 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalisation of groups of channels (Wu & He 2018): x [n, c, ...], every group over its channels and all that follows,
 * times `weight` [c] plus `bias` [c]. One group: the whole of each example; c groups: each channel on its own.
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  weight: Tensor,
  bias: Tensor,
  { epsilon = 1e-5 }: GroupNormOptions = {},
): Tensor {
  const [batch, channels] = x.shape as [number | undefined, number | undefined];
  if (batch === undefined || channels === undefined || channels % groups !== 0) {
    throw invalidInput(`groupNorm: ${formatShape(x.shape)} is not [n, c, ...] with c in ${groups} groups`);
  }
  const rows = reshape(x, [batch * groups, sizeOf(x.shape) / (batch * groups)]);
  const width = [rows.shape[1]!];
  const normalised = layerNorm(rows, full(x.graph, width, 1), full(x.graph, width, 0), epsilon);
  return scaleChannels(reshape(normalised, x.shape), weight, bias, 1);
}

export interface BatchNormOptions {
  /** The axis of channels. Default: 1. */
  readonly axis?: number;
  /** Added to the variance. Default: 1e-5. */
  readonly epsilon?: number;
  /** Each [c], gathered while training. Default: those of the batch. */
  readonly statistics?: { readonly mean: Tensor; readonly variance: Tensor };
}

/**
 * Normalisation of channels over a batch (Ioffe & Szegedy 2015), times `weight` [c] plus `bias` [c]. Gives also the mean
 * and the variance [c] that it used: keep running averages of them for use as `statistics`.
 */
export function batchNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { axis = 1, epsilon = 1e-5, statistics }: BatchNormOptions = {},
): { y: Tensor; mean: Tensor; variance: Tensor } {
  const along = resolveAxis(axis, x.rank, 'batchNorm');
  const axes = x.shape.flatMap((_size, other) => (other === along ? [] : [other]));
  const average = statistics?.mean ?? mean(x, { axes });
  const spread = statistics?.variance ?? variance(x, { axes });
  const scale = mul(weight, reciprocal(sqrt(add(spread, epsilon))));
  return { y: scaleChannels(x, scale, sub(bias, mul(average, scale)), along), mean: average, variance: spread };
}

function scaleChannels(x: Tensor, weight: Tensor, bias: Tensor, axis: number): Tensor {
  const shape = x.shape.slice(axis).map((size, i) => (i === 0 ? size : 1));
  return add(mul(x, reshape(weight, shape)), reshape(bias, shape));
}

/**
 * Rotary position embedding (Su et al. 2021), half-split as in Llama. x [batch, time, heads · d]; positions int32
 * [batch, time]; cos and sin [positions, d / 2], through which no gradient flows.
 */
export function rotary(x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor {
  return x.graph.node('rotary', [x, positions, cos, sin], { heads });
}

export interface TokenOptions {
  /** Rows of logits that are there at once. Default: as many as take 64 MiB, but at least one in 64. */
  readonly rows?: number;
}

/**
 * log p(target) under softmax(hidden weightᵀ), in nats: hidden [..., d], weight [v, d], targets int32 [...] → [...]. The
 * head of a language model, without ever holding the logits whole where there are many; neither does the gradient, which
 * is made beside it from the same logits wherever it does not depend on the result itself.
 */
export function tokenLogProbability(
  hidden: Tensor,
  weight: Tensor,
  targets: Tensor,
  options: TokenOptions = {},
): Tensor {
  const flat = asRows(hidden);
  const inputs = [flat, weight, reshape(targets, [-1])];
  const made = hidden.graph.node('tokenLogProbability', inputs, { rows: blockRows(flat, weight, options) });
  return reshape(made, targets.shape);
}

/** The index (int32) of the largest of the logits hidden weightᵀ: hidden [..., d], weight [v, d] → [...]. */
export function likeliestToken(hidden: Tensor, weight: Tensor, options: TokenOptions = {}): Tensor {
  const flat = asRows(hidden);
  const made = hidden.graph.node('likeliestToken', [flat, weight], { rows: blockRows(flat, weight, options) });
  return reshape(made, hidden.shape.slice(0, -1));
}

function asRows(hidden: Tensor): Tensor {
  return reshape(hidden, [-1, hidden.shape.at(-1)!]);
}

/** Blocks of about one size, of multiples of 16 rows: so many a kernel of the matrix product works on at once. */
function blockRows(hidden: Tensor, weight: Tensor, { rows }: TokenOptions): number {
  const count = Math.max(1, hidden.shape[0]!);
  if (rows !== undefined) {
    if (!Number.isInteger(rows) || rows < 1) throw invalidInput(`rows: ${rows} is no number of rows of logits`);
    return Math.min(rows, count);
  }
  const bytes = 4 * (weight.shape[0] ?? 1) * count;
  const blocks = Math.min(mostBlocks, Math.max(1, Math.ceil(bytes / largestLogits)));
  return blocks === 1 ? count : Math.min(count, 16 * Math.ceil(count / blocks / 16));
}

/** In bytes. */
const largestLogits = 64 * 2 ** 20;

/** Each is some nodes of the program. */
const mostBlocks = 64;

/** log p(target) under softmax(logits): logits [..., v], targets int32 [...] → [...], in nats. */
export function logProbability(logits: Tensor, targets: Tensor): Tensor {
  // As a matrix: the gradient then meets the matrix product that made the logits without a change of shape.
  const rows = reshape(logits, [-1, logits.shape[logits.rank - 1]!]);
  const chosen = takeAlong(rows, reshape(targets, [-1, 1]));
  return reshape(sub(chosen, logSumExp(rows, { axes: -1, keepDims: true })), targets.shape);
}
