/** What training makes small. Each takes predictions and targets of one form; the mean of all is the default. */
import { invalidInput } from '@crucible/foundation';
import { printType } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { shapesEqual } from '../shape.ts';
import { abs, add, cast, div, equal, exp, less, mul, neg, not, softplus, square, sub, where } from './elementwise.ts';
import { gather } from './indexing.ts';
import { logProbability } from './neural.ts';
import { logSoftmax, mean, sum } from './reduction.ts';

export interface LossOptions {
  /** What is made of the single losses. Default: `mean`. */
  readonly reduction?: 'mean' | 'sum' | 'none';
}

export interface CrossEntropyOptions extends LossOptions {
  /** A target that does not count, as the padding of a batch. Where all targets are of it the mean is 0. Default: none. */
  readonly ignoreIndex?: number;
  /** How much of the target is spread evenly over all classes (Szegedy et al. 2016), 0 … 1. Default: 0. */
  readonly labelSmoothing?: number;
  /** How much each class counts: [v]. The mean is weighted, too. Default: all alike. */
  readonly weights?: Tensor;
}

/** - log p(target) under softmax(logits): logits [..., v], targets int32 [...], in nats. */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex, labelSmoothing = 0, weights, reduction = 'mean' } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw invalidInput(`crossEntropy: labelSmoothing ${labelSmoothing} is not within 0 … 1`);
  }
  const counts = ignoreIndex === undefined ? undefined : not(equal(targets, ignoreIndex));
  const chosen = counts === undefined ? targets : where(counts, targets, 0);
  let losses = neg(logProbability(logits, chosen));
  let weight = counts === undefined ? undefined : cast(counts, 'float32');
  if (weights !== undefined) {
    const ofTarget = gather(weights, chosen);
    weight = weight === undefined ? ofTarget : mul(weight, ofTarget);
  }
  if (labelSmoothing > 0) {
    const logs = logSoftmax(logits);
    const spread = neg(mean(weights === undefined ? logs : mul(logs, weights), { axes: -1 }));
    losses = weights === undefined ? losses : mul(losses, gather(weights, chosen));
    losses = add(mul(losses, 1 - labelSmoothing), mul(spread, labelSmoothing));
    if (counts !== undefined) losses = where(counts, losses, 0);
  } else if (weight !== undefined) {
    losses = mul(losses, weight);
  }
  if (reduction !== 'mean' || weight === undefined) return reduced(losses, reduction);
  const total = sum(weight);
  return div(sum(losses), where(less(0, total), total, 1));
}

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** How much a positive target counts. Default: 1. */
  readonly positiveWeight?: number;
}

/** - t log p - (1 - t) log(1 - p) with p = sigmoid(logits), for targets t from 0 to 1; without overflow. */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  assertSameType(logits, targets, 'binaryCrossEntropy');
  const { positiveWeight = 1, reduction = 'mean' } = options;
  const missed = softplus(neg(logits));
  const weighted = positiveWeight === 1 ? missed : mul(missed, add(mul(targets, positiveWeight - 1), 1));
  return reduced(add(mul(sub(1, targets), logits), weighted), reduction);
}

/** (prediction - target)². */
export function meanSquaredError(
  predictions: Tensor,
  targets: Tensor,
  { reduction = 'mean' }: LossOptions = {},
): Tensor {
  assertSameType(predictions, targets, 'meanSquaredError');
  return reduced(square(sub(predictions, targets)), reduction);
}

/** |prediction - target|. */
export function meanAbsoluteError(
  predictions: Tensor,
  targets: Tensor,
  { reduction = 'mean' }: LossOptions = {},
): Tensor {
  assertSameType(predictions, targets, 'meanAbsoluteError');
  return reduced(abs(sub(predictions, targets)), reduction);
}

export interface HuberOptions extends LossOptions {
  /** Where the loss turns from a square to a line. Default: 1. */
  readonly delta?: number;
}

/** ½ e² for errors up to delta, delta (|e| - ½ delta) beyond (Huber 1964). */
export function huber(
  predictions: Tensor,
  targets: Tensor,
  { delta = 1, reduction = 'mean' }: HuberOptions = {},
): Tensor {
  assertSameType(predictions, targets, 'huber');
  const error = sub(predictions, targets);
  const size = abs(error);
  const line = mul(sub(size, delta / 2), delta);
  return reduced(where(less(size, delta), mul(square(error), 0.5), line), reduction);
}

/**
 * Σ p (log p - log q) along the last axis, for logarithms of probabilities [..., v] → [...]; where p is 0 a term is 0.
 */
export function klDivergence(logP: Tensor, logQ: Tensor): Tensor {
  assertSameType(logP, logQ, 'klDivergence');
  const p = exp(logP);
  const present = less(0, p);
  const difference = sub(where(present, logP, 0), where(present, logQ, 0));
  return sum(mul(p, difference), { axes: -1 });
}

function reduced(losses: Tensor, reduction: 'mean' | 'sum' | 'none'): Tensor {
  switch (reduction) {
    case 'mean':
      return mean(losses);
    case 'sum':
      return sum(losses);
    case 'none':
      return losses;
  }
}

function assertSameType(a: Tensor, b: Tensor, what: string): void {
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || !shapesEqual(a.shape, b.shape)) {
    throw invalidInput(`${what}: ${printType(a)} and ${printType(b)} are not of one shape and of float32`);
  }
}
