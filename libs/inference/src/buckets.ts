import { invalidInput } from '@crucible/foundation';

/** Programs are compiled for fixed sizes; work is padded up to the next of these. */
export function nextPowerOfTwo(size: number, least = 1): number {
  let bucket = least;
  while (bucket < size) bucket *= 2;
  return bucket;
}

/** The bucket for `rows` rows that are decoded together: a power of two up to 32, then a multiple of 32. */
export function batchBucket(rows: number): number {
  return rows <= 32 ? nextPowerOfTwo(rows) : 32 * Math.ceil(rows / 32);
}

/** The bucket for `count` tokens that are looked at: a power of two from 64 to 1024, then a multiple of 512. */
export function countBucket(count: number): number {
  return count <= 1024 ? nextPowerOfTwo(count, 64) : 512 * Math.ceil(count / 512);
}

/**
 * Tokens of a row that sequences of up to `longest` tokens are packed into: the context, or less where it is far longer than
 * they are, as attention is work for every pair of places in a row.
 */
export function rowTime(longest: number, context: number): number {
  return Math.min(context, nextPowerOfTwo(longest, 512));
}

/** The bucket for `length` tokens, at most the context; throws when they do not fit. */
export function timeBucket(length: number, context: number): number {
  if (length > context) throw invalidInput(`${length} tokens are more than the context of ${context}`);
  return Math.min(context, nextPowerOfTwo(length, 16));
}
