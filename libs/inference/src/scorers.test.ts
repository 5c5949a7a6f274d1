import {
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceLogProbabilities,
  referenceScores,
  tinyLlama,
  tinyLlamaConfig,
  tinyRewardModel,
} from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packSequences } from './packing.ts';
import { LogProbabilityScorer, ScalarScorer, scoreSequences } from './scorers.ts';

const different = [3, 9, 1, 14, 6, 20].map((length, n) =>
  Array.from({ length }, (_, i) => (5 * i + 11 * n) % tinyLlamaConfig.vocabularySize),
);
/** The last three begin alike, the last two for longer. */
const sequences = [...different, [...different[5]!.slice(0, 12), 2, 3], [...different[5]!.slice(0, 12), 2, 4, 1, 2]];

describe('log-probabilities of given tokens', () => {
  const weights = tinyLlama(4);

  function scorer(): LogProbabilityScorer {
    const made = new LogProbabilityScorer(weights, tinyLlamaConfig, { threads: 1 });
    onTestFinished(() => made.dispose());
    return made;
  }

  /** Every token but the first of all sequences, packed into rows of `time`. */
  function task(time: number) {
    const { packed, places } = packSequences(sequences, { time, pad: 0 });
    const at = sequences.flatMap(({ length }, n) => Array.from({ length: length - 1 }, (_, i) => places[n]![i]!));
    return { packed, at, targets: sequences.flatMap((ids) => ids.slice(1)) };
  }

  it.each([0.5, 1, 2])('are those of each sequence alone at temperature %d, however they are packed', async (heat) => {
    const expected = sequences.flatMap((ids) =>
      referenceAnswerLogProbabilities(weights, ids.slice(0, 1), ids.slice(1), heat),
    );
    const one = scorer();
    for (const time of [20, 64]) {
      const { packed, at, targets } = task(time);
      expect(await one.score(weights, packed, at, targets, heat)).toBeAllClose(expected, { atol: 5e-5 });
    }
  });

  it('serve other weights of the same shapes', async () => {
    const other = tinyLlama(5);
    const { packed, at, targets } = task(20);
    const expected = sequences.flatMap((ids) => referenceAnswerLogProbabilities(other, ids.slice(0, 1), ids.slice(1)));
    expect(await scorer().score(other, packed, at, targets, 1)).toBeAllClose(expected, { atol: 5e-5 });
  });

  it('come with the most probable alternatives', async () => {
    const { packed, places } = packSequences([sequences[1]!], { time: 16, pad: 0 });
    const [choices] = await scorer().mostProbable(weights, packed, [places[0]![8]!], 0.7, 2);
    const expected = referenceLogProbabilities(referenceLogits(weights, sequences[1]!)[8]!, 0.7);
    const order = expected.map((_, id) => id).sort((a, b) => expected[b]! - expected[a]!);
    expect(choices!.map(({ id }) => id)).toEqual(order.slice(0, 2));
    expect(choices!.map(({ logProbability }) => logProbability)).toBeAllClose(
      order.slice(0, 2).map((id) => expected[id]!),
      { atol: 5e-5 },
    );
  });
});

describe('scores of a reward model', () => {
  const weights = tinyRewardModel(6);

  function scorer(): ScalarScorer {
    const made = new ScalarScorer(weights, tinyLlamaConfig, { threads: 1 });
    onTestFinished(() => made.dispose());
    return made;
  }

  it('are those of each token alone', async () => {
    const { packed, places } = packSequences(sequences, { time: 32, pad: 7 });
    const at = places.flatMap((place) => [...place]);
    const expected = sequences.flatMap((ids) => referenceScores(weights, ids));
    expect(await scorer().score(weights, packed, at)).toBeAllClose(expected, { atol: 5e-5 });
  });

  it('are read at the last token of whole sequences, in their order, over several batches', async () => {
    const many = Array.from({ length: 150 }, (_, i) => sequences[i % sequences.length]!);
    const expected = many.map((ids) => referenceScores(weights, ids).at(-1)!);
    expect(await scoreSequences(scorer(), weights, many, { time: 24, pad: 0 })).toBeAllClose(expected, { atol: 5e-5 });
  });

  it('do not depend on the padding token or the length of rows', async () => {
    const one = scorer();
    const narrow = await scoreSequences(one, weights, sequences, { time: 20, pad: 0 });
    expect(await scoreSequences(one, weights, sequences, { time: 50, pad: 13 })).toBeAllClose(narrow, { atol: 2e-6 });
  });

  it('are those of the end of sequences that are longer than a row', async () => {
    const expected = sequences.map((ids) => referenceScores(weights, ids.slice(-8)).at(-1)!);
    expect(await scoreSequences(scorer(), weights, sequences, { time: 8, pad: 0 })).toBeAllClose(expected, {
      atol: 5e-5,
    });
  });

  it('are none for no sequences', async () => {
    expect(await scoreSequences(scorer(), weights, [], { time: 8, pad: 0 })).toEqual([]);
  });
});
