/**
 * An encoder that begins with heads that look at the words beside one: a masked word is guessed from its neighbours from the
 * first step. Encoders form such heads by themselves (Clark et al. 2019), but only after thousands of steps in which they
 * learn how frequent words are and nothing else; a short training ends there (docs/decisions/0012). In the spirit of
 * mimetic initialisation (Trockman & Kolter 2023), and undone by training where it is of no use.
 *
 * The last coordinates of the stream hold where a token stands, as sines and cosines of its position, and words have nothing
 * there. A head of the first layer compares a position, turned by its distance, with all others.
 */
import type { Random } from '@crucible/foundation';
import type { NdArray } from '@crucible/tensor';
import type { EncoderBody } from './encoder.ts';
import type { EncoderSizes } from './encoder-family.ts';

/** The distances that heads of the first layer look at, in the order of the heads. */
const distances = [-1, 1, -2, 2, -3, 3];
/** What the score of the place that is looked at has above others'. */
const peak = 6;
/** Fewer frequencies do not tell places apart. */
const leastPairs = 4;
/** What is left of the random part of the heads. */
const randomShare = 0.3;
/** How many coordinates of the stream words have to themselves: the first ones. */
export function wordCoordinates({ hiddenSize, heads, layers }: EncoderSizes): number {
  const pairs = Math.floor(Math.min(hiddenSize / heads, hiddenSize / 4) / 2);
  return layers === 0 || pairs < leastPairs ? hiddenSize : hiddenSize - 2 * pairs;
}

/**
 * Writes places into the last coordinates of the embeddings, and the heads into the first layer; leaves a model alone whose
 * heads are too narrow to tell places apart. `deviation`: of the embeddings.
 */
export function setNeighbourHeads(
  config: EncoderSizes,
  { embeddings, encoder }: EncoderBody<NdArray>,
  { deviation, random }: { readonly deviation: number; readonly random: Random },
): void {
  const { hiddenSize, heads, vocabularySize, tokenTypes } = config;
  const size = hiddenSize / heads;
  const first = wordCoordinates(config);
  const pairs = (hiddenSize - first) / 2;
  if (pairs === 0) return;
  // One in each of as many equal parts of the circle's half, so that no distance but 0 brings all together again.
  const frequencies = Array.from({ length: pairs }, (_, k) => (Math.PI * (k + random.uniform())) / pairs);

  const data = ({ weight }: { readonly weight: NdArray }): Float32Array => weight.data as Float32Array;
  for (const [table, rows] of [
    [data(embeddings.word_embeddings), vocabularySize],
    [data(embeddings.token_type_embeddings), tokenTypes],
  ] as const) {
    for (let row = 0; row < rows; row++) table.fill(0, row * hiddenSize + first, (row + 1) * hiddenSize);
  }
  const places = data(embeddings.position_embeddings);
  places.fill(0);
  for (let t = 0; t * hiddenSize < places.length; t++) {
    frequencies.forEach((frequency, k) => {
      places[t * hiddenSize + first + 2 * k] = deviation * Math.SQRT2 * Math.cos(frequency * t);
      places[t * hiddenSize + first + 2 * k + 1] = deviation * Math.SQRT2 * Math.sin(frequency * t);
    });
  }

  const { query: queries, key: keys } = encoder.layer[0]!.attention.self;
  const [query, key] = [data(queries), data(keys)];
  // After the normalisation a pair has length √2: `peak` = gain² · 2 · pairs / √size.
  const gain = Math.sqrt((peak * Math.sqrt(size)) / (2 * pairs));
  distances.slice(0, heads).forEach((distance, head) => {
    for (let i = head * size * hiddenSize; i < (head + 1) * size * hiddenSize; i++) {
      query[i]! *= randomShare;
      key[i]! *= randomShare;
    }
    frequencies.forEach((frequency, k) => {
      const [cosine, sine] = [2 * k, 2 * k + 1].map((i) => (head * size + i) * hiddenSize + first) as [number, number];
      const [c, s] = [gain * Math.cos(frequency * distance), gain * Math.sin(frequency * distance)];
      key[cosine + 2 * k]! += gain;
      key[sine + 2 * k + 1]! += gain;
      query[cosine + 2 * k]! += c;
      query[cosine + 2 * k + 1]! -= s;
      query[sine + 2 * k]! += s;
      query[sine + 2 * k + 1]! += c;
    });
  });
}
