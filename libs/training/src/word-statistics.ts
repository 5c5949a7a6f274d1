/**
 * What counting says of words, for an encoder to begin with: how frequent each is, and a vector of which words it stands
 * beside. Gradients find both too, slowly.
 */
import { type Random, throwIfCancelled } from '@crucible/foundation';
import {
  embeddingDeviation,
  type EncoderConfig,
  encoderParameters,
  type ModelWeights,
  wordCoordinates,
} from '@crucible/nn';
import { flatten, isNdArray, type NdArray } from '@crucible/tensor';
import type { TokenSource } from './batches/token-windows.ts';

/** Words on each side that count as beside one; the n-th counts 1/n. */
const reach = 5;
/** Pairs that were seen less than this are left to chance. */
const leastCount = 1;
/** Levy et al. (2015) raise the counts of contexts to 0.75; here both sides share it, which leaves the matrix symmetric. */
const smoothing = 0.875;
const iterations = 6;

/** Rows of `time` tokens, one after the other. */
export interface TokenRows {
  readonly ids: Int32Array;
  readonly time: number;
}

export interface StatisticsOptions {
  /** Of the vocabulary. */
  readonly size: number;
  /** Of a vector. */
  readonly width: number;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
}

export interface WordStatistics {
  /** Occurrences by id. */
  readonly counts: Float64Array;
  /** A row of `width` for each id, of mean square 1; zeros for a word that was never seen. */
  readonly vectors: Float32Array;
}

/**
 * Vectors whose products are about the positive pointwise mutual information of two words (Levy & Goldberg 2014): the
 * leading part of its matrix by orthogonal iteration.
 */
export async function wordStatistics(
  text: TokenRows,
  { size, width, random, signal }: StatisticsOptions,
): Promise<WordStatistics> {
  const counts = new Float64Array(size);
  for (const id of text.ids) counts[id]!++;
  const matrix = mutualInformation(text, counts);
  const wide = Math.min(width, size);
  let basis = orthonormal(
    Array.from({ length: wide }, () => Float64Array.from({ length: size }, () => random.normal())),
  );
  const strengths = new Float64Array(wide);
  for (let i = 0; i < iterations; i++) {
    const images: Float64Array[] = [];
    for (const [column, vector] of basis.entries()) {
      throwIfCancelled(signal, 'counting words');
      const image = times(matrix, vector);
      strengths[column] = dot(image, vector);
      images.push(image);
      // Ctrl-C is heard between columns alone.
      await new Promise((resolve) => setImmediate(resolve));
    }
    basis = orthonormal(images);
  }
  const vectors = new Float32Array(size * width);
  for (let id = 0; id < size; id++) {
    const row = vectors.subarray(id * width, (id + 1) * width);
    basis.forEach((vector, column) => (row[column] = vector[id]! * Math.sqrt(Math.abs(strengths[column]!))));
    const square = row.reduce((sum, value) => sum + value * value, 0) / width;
    if (square > 0) for (let column = 0; column < width; column++) row[column]! /= Math.sqrt(square);
  }
  return { counts, vectors };
}

/** Of the first `tokens` that training will read. */
export function firstTokens(source: TokenSource, tokens: number, time: number): TokenRows {
  const rows = 32;
  const steps = Math.ceil(tokens / (rows * time));
  const ids = new Int32Array(steps * rows * time);
  for (let step = 0; step < steps; step++) ids.set(source.batch(step, rows, time).ids.data, step * rows * time);
  return { ids, time };
}

/** Words begin with their vectors, and the head for masked words with how frequent each is. */
export function beginWithStatistics(
  weights: ModelWeights,
  config: EncoderConfig,
  { counts, vectors }: WordStatistics,
): void {
  const { vocabularySize, hiddenSize } = config;
  const arrays = new Map(
    flatten<NdArray>(weights, isNdArray).map(({ path, leaf }) => [path, leaf.data as Float32Array]),
  );
  const specs = [...encoderParameters(config, { kind: 'masked-language' })];
  const of = (role: 'embedding' | 'bias'): Float32Array =>
    arrays.get(specs.find((spec) => spec.role === role && spec.shape[0] === vocabularySize)!.path)!;
  const embeddings = of('embedding');
  const bias = of('bias');
  const width = wordCoordinates(config);
  const total = counts.reduce((sum, count) => sum + count, vocabularySize);
  for (let id = 0; id < vocabularySize; id++) {
    bias[id] = Math.log((counts[id]! + 1) / total);
    if (counts[id] === 0) continue;
    const vector = vectors.subarray(id * width, (id + 1) * width);
    if (vector.some((value) => value !== 0))
      embeddings.set(
        vector.map((value) => embeddingDeviation * value),
        id * hiddenSize,
      );
  }
}

/** Rows of a sparse symmetric matrix. */
interface Sparse {
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float32Array;
}

function mutualInformation({ ids, time }: TokenRows, counts: Float64Array): Sparse {
  const size = counts.length;
  const smoothed = counts.map((count) => count ** smoothing);
  const scale = ids.length / smoothed.reduce((sum, value) => sum + value, 0);
  let besideOne = 0;
  for (let n = 1; n <= reach; n++) besideOne += 2 / n;
  const starts = new Int32Array(size + 1);
  const [columns, values]: [number[], number[]] = [[], []];
  const beside = new Float64Array(size);
  let place = 0;
  const places = placesByWord(ids, counts);
  for (let id = 0; id < size; id++) {
    const touched: number[] = [];
    for (const end = place + counts[id]!; place < end; place++) {
      const at = places[place]!;
      const start = at - (at % time);
      for (let other = Math.max(start, at - reach); other <= Math.min(start + time - 1, at + reach); other++) {
        if (other === at) continue;
        const neighbour = ids[other]!;
        if (beside[neighbour] === 0) touched.push(neighbour);
        beside[neighbour]! += 1 / Math.abs(other - at);
      }
    }
    for (const other of touched) {
      const expected = (besideOne * scale * scale * smoothed[id]! * smoothed[other]!) / ids.length;
      const information = Math.log(beside[other]! / expected);
      if (beside[other]! >= leastCount && information > 0) {
        columns.push(other);
        values.push(information);
      }
      beside[other] = 0;
    }
    starts[id + 1] = columns.length;
  }
  return { starts, columns: Int32Array.from(columns), values: Float32Array.from(values) };
}

/** Where each word stands: the places of word 0, of word 1, … */
function placesByWord(ids: Int32Array, counts: Float64Array): Int32Array {
  const next = new Int32Array(counts.length);
  for (let id = 1; id < counts.length; id++) next[id] = next[id - 1]! + counts[id - 1]!;
  const places = new Int32Array(ids.length);
  ids.forEach((id, at) => (places[next[id]!++] = at));
  return places;
}

function times({ starts, columns, values }: Sparse, vector: Float64Array): Float64Array {
  const result = new Float64Array(vector.length);
  for (let row = 0; row < result.length; row++) {
    let sum = 0;
    for (let i = starts[row]!; i < starts[row + 1]!; i++) sum += values[i]! * vector[columns[i]!]!;
    result[row] = sum;
  }
  return result;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Gram-Schmidt, twice over, so that rounding leaves nothing (Giraud et al. 2005); what depends on others becomes 0. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    const own = vector.slice();
    const before = Math.sqrt(dot(own, own));
    for (let turn = 0; turn < 2; turn++) {
      for (const other of done) {
        const share = dot(own, other);
        for (let i = 0; i < own.length; i++) own[i]! -= share * other[i]!;
      }
    }
    const length = Math.sqrt(dot(own, own));
    done.push(length > 1e-9 * before ? own.map((value) => value / length) : own.fill(0));
  }
  return done;
}
