/** Batches for PPO: every response token with what was worked out for it, sequences packed into rows. */
import { floats, type FloatArray, type IntArray, ints } from '@crucible/tensor';
import type { Advantages, Experience } from '../advantages.ts';
import { blockHeight, countBucket, packSequences, type Place } from '@crucible/inference';
import { type ColumnBatch, rowParts } from './row-parts.ts';

/** `at` are the tokens before the response tokens; `weights` are 1 / response tokens of the whole minibatch. */
export interface ExperienceBatch extends ColumnBatch {
  /** The response tokens, int32 [tokens]. */
  readonly targets: IntArray;
  readonly oldLogProbabilities: FloatArray;
  readonly advantages: FloatArray;
  readonly oldValues: FloatArray;
  readonly returns: FloatArray;
}

export type Learned = Experience & Advantages;

export function experienceBatch(
  samples: readonly Learned[],
  { time, pad }: { readonly time: number; readonly pad: number },
): ExperienceBatch {
  const sequences = samples.map(({ prompt, response }) => [...prompt, ...response]);
  const { packed, places } = packSequences(sequences, { time, pad, rowMultiple: blockHeight(time) });
  const count = samples.reduce((sum, { response }) => sum + response.length, 0);
  const length = countBucket(count);
  const weight = 1 / count;
  const at = new Int32Array(length);
  const targets = new Int32Array(length);
  const columns = {
    oldLogProbabilities: new Float32Array(length),
    advantages: new Float32Array(length),
    oldValues: new Float32Array(length),
    returns: new Float32Array(length),
    weights: new Float32Array(length),
  };
  let next = 0;
  samples.forEach((sample, i) => {
    const { response } = sample;
    at.set(responsePlaces(places[i]!, sample), next);
    targets.set(response, next);
    columns.oldLogProbabilities.set(sample.logProbabilities, next);
    columns.advantages.set(sample.advantages, next);
    columns.oldValues.set(sample.values, next);
    columns.returns.set(sample.returns, next);
    columns.weights.fill(weight, next, next + response.length);
    next += response.length;
  });
  const column = (data: Float32Array): FloatArray => floats([length], data);
  return {
    ...packed,
    at: ints([length], at),
    targets: ints([length], targets),
    oldLogProbabilities: column(columns.oldLogProbabilities),
    advantages: column(columns.advantages),
    oldValues: column(columns.oldValues),
    returns: column(columns.returns),
    weights: column(columns.weights),
  };
}

/**
 * A minibatch in parts of a few rows: their losses and gradients add up to its own, and one compiled program serves
 * however many rows the samples take.
 */
export function experienceParts(batch: ExperienceBatch): ExperienceBatch[] {
  return rowParts(batch, blockHeight(batch.ids.shape[1]!), countBucket);
}

/** Index of the token before each response token. */
export function responsePlaces(
  place: Place,
  { prompt, response }: { readonly prompt: readonly number[]; readonly response: readonly number[] },
): number[] {
  return response.map((_id, t) => place[prompt.length - 1 + t]!);
}
