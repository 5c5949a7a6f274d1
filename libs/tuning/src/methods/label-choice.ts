/**
 * Learning to choose among labels by their words. A word of several tokens is as likely as its tokens one after the other, a
 * label as likely as one of its words, made to add up to one over the labels: what `CausalReader` says of them. The loss is the
 * cross-entropy of these, as an encoder's at its mask (Schick & Schütze 2021).
 *
 * Departure: Lester et al. (2021) learn to write one word a label. On SST-2 a model of 1.3 million parameters so learns mostly
 * to say such words at all, and the others that a label has count as they happen to: a soft prompt then said one label of all
 * texts, by the word that was the likeliest before.
 */
import { type PackedRows, packSequences, type Place } from '@crucible/inference';
import {
  decode,
  type DecoderConfig,
  hiddenRows,
  type KeysAndValues,
  languageLogProbability,
  type ParameterTree,
} from '@crucible/nn';
import { add, floats, ints, logSumExp, mul, type NdArray, reshape, sub, sum, type Tensor } from '@crucible/tensor';

/** Added to the log-probability of a word that does not count: far below any real one. */
export const excludedWord = -1e9;

export interface ChoiceExample {
  /** Tokens that the answer comes after. */
  readonly prompt: readonly number[];
  readonly label: number;
}

/** Examples as packed rows; each reads its prompt once, and every word after it. */
export interface ChoiceBatch extends PackedRows {
  readonly [name: string]: NdArray;
  /** Index, over all rows, of the token after which each token of a word comes: int32 [examples, words, tokens]. */
  readonly at: NdArray;
  /** Those tokens, int32 [examples, words, tokens]. */
  readonly targets: NdArray;
  /** 0 for places that words of fewer tokens do not have: float32 [examples, words, tokens]. */
  readonly counted: NdArray;
  /** Added to log-probabilities of words: 0, or far below for places that are no word; float32 [examples, words]. */
  readonly any: NdArray;
  /** As `any`, and far below 0 for words of other labels. */
  readonly own: NdArray;
  /** Of each example in the mean, float32 [examples]. */
  readonly weights: NdArray;
}

export interface ChoiceShape {
  /** Tokens of each word of each label. */
  readonly words: readonly (readonly (readonly number[])[])[];
  /** Tokens of the context. */
  readonly context: number;
  readonly pad: number;
}

/** Row length that holds the longest of the prompts with all words, where the context does. */
export function choiceTime(prompts: readonly ChoiceExample[], { words, context }: ChoiceShape): number {
  const longest = prompts.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
  const after = words.flat().reduce((tokens, word) => tokens + word.length, 0);
  return Math.min(context, 32 * Math.ceil((longest + after) / 32));
}

/** One batch of the examples, whose loss is their mean. */
export function choiceBatch(
  examples: readonly ChoiceExample[],
  { words, pad, time }: ChoiceShape & { readonly time: number },
): ChoiceBatch {
  const all = words.flatMap((own, label) => own.map((tokens) => ({ tokens, label })));
  const longest = Math.max(...all.map(({ tokens }) => tokens.length));
  const sequences = examples.flatMap(({ prompt }) => all.map(({ tokens }) => [...prompt, ...tokens]));
  // Few numbers of rows: each is a program of its own.
  const { packed, places } = packSequences(sequences, { time, pad, rowMultiple: Math.ceil(examples.length / 4) });
  const shape = [examples.length, all.length, longest];
  const size = examples.length * all.length * longest;
  const [at, targets, counted] = [new Int32Array(size), new Int32Array(size), new Float32Array(size)];
  const own = new Float32Array(examples.length * all.length);
  examples.forEach(({ prompt, label }, i) => {
    all.forEach((word, w) => {
      const index = i * all.length + w;
      const place: Place = places[index]!;
      own[index] = word.label === label ? 0 : excludedWord;
      word.tokens.forEach((token, n) => {
        at[index * longest + n] = place[prompt.length + n - 1]!;
        targets[index * longest + n] = token;
        counted[index * longest + n] = 1;
      });
    });
  });
  return {
    ...packed,
    at: ints(shape, at),
    targets: ints(shape, targets),
    counted: floats(shape, counted),
    any: floats(shape.slice(0, 2), new Float32Array(own.length)),
    own: floats(shape.slice(0, 2), own),
    weights: floats([examples.length], new Float32Array(examples.length).fill(1 / examples.length)),
  };
}

/** The cross-entropy of the labels, in nats: a weighted sum over the examples. */
export function choiceLoss(
  weights: ParameterTree<Tensor>,
  config: DecoderConfig,
  batch: { readonly [Name in keyof ChoiceBatch]: Tensor },
  prefix?: KeysAndValues,
): Tensor {
  const { at, targets } = batch;
  const { hidden } = decode(weights, config, { ...batch, prefix });
  const flat = (x: Tensor): Tensor => reshape(x, [x.shape.reduce((product, size) => product * size, 1)]);
  const tokens = languageLogProbability(weights, config, hiddenRows(hidden, flat(at)), flat(targets));
  const words = sum(mul(reshape(tokens, at.shape), batch.counted), { axes: -1 });
  const own = logSumExp(add(words, batch.own), { axes: -1 });
  const all = logSumExp(add(words, batch.any), { axes: -1 });
  return sum(mul(sub(all, own), batch.weights));
}
