/** How well a model still does what it was pre-trained for: nats a token of held-out text. */
import { LogProbabilityScorer, packSequences } from '@crucible/inference';
import { encode, hiddenRows, maskedLanguageLogits, type ModelWeights } from '@crucible/nn';
import { compile, itemOf } from '@crucible/tensor';
import { maskedSource, maskedVocabulary, predictionLoss, streamSource } from '@crucible/training';
import type { SavedAdapter } from '@crucible/checkpoint';
import type { MaskedModel } from '../prompt-model.ts';
import type { CausalModel } from '../methods/causal-reader.ts';

/** Of what is measured on; rows of models with a short context are shorter. */
const [rowTokens, rows, batches] = [64, 16, 4];
const masking = { share: 0.15, wholeWords: true } as const;

/** Of masked words of the texts; the same words are masked whatever the weights. */
export async function maskedBaseLoss(
  { config, tokenizer }: Pick<MaskedModel, 'config' | 'tokenizer'>,
  model: ModelWeights,
  texts: readonly string[],
): Promise<number> {
  const vocabulary = maskedVocabulary(tokenizer);
  const stream = streamSource(tokensOf(tokenizer, texts, vocabulary.sep), 0);
  const source = maskedSource(stream, vocabulary, masking, 0);
  const time = rowTime(config);
  const given = Array.from({ length: batches }, (_, n) => source.batch(n, rows, time));
  const program = await compile(
    { model, ...given[0]! },
    ({ model: weights, ids, at, targets, weights: shares }) => {
      const mask = ids.graph.constant('int32', [rows, time], new Int32Array(rows * time).fill(1));
      const hidden = encode(weights, config, { ids: ids, mask });
      const logits = maskedLanguageLogits(weights, config, hiddenRows(hidden, at));
      return { loss: predictionLoss(logits, targets, shares).loss };
    },
    { name: 'masked words of the corpus' },
  );
  try {
    let total = 0;
    for (const batch of given) total += itemOf((await program.run({ model, ...batch })).loss);
    return total / batches;
  } finally {
    await program.dispose();
  }
}

/** Of next tokens of the texts, with the adapter in its place where there is one. */
export async function causalBaseLoss(
  { config, tokenizer }: Pick<CausalModel, 'config' | 'tokenizer'>,
  { weights, adapter }: { readonly weights: ModelWeights; readonly adapter?: SavedAdapter },
  texts: readonly string[],
): Promise<number> {
  const source = streamSource(tokensOf(tokenizer, texts, tokenizer.eosId ?? tokenizer.bosId ?? 0), 0);
  const time = rowTime(config);
  const { ids, targets } = source.batch(0, rows * batches, time);
  const sequences = Array.from({ length: rows * batches }, (_, row) =>
    Array.from(ids.data.subarray(row * time, (row + 1) * time)),
  );
  const { packed, places } = packSequences(sequences, { time, pad: tokenizer.padId ?? 0 });
  const scorer = new LogProbabilityScorer(weights, config, adapter ? { adapter } : {});
  try {
    const at = places.flatMap((place) => Array.from(place));
    const values = await scorer.score(weights, packed, at, Array.from(targets.data), 1);
    return -values.reduce((sum, value) => sum + value, 0) / values.length;
  } finally {
    await scorer.dispose();
  }
}

/** Leaves room for virtual tokens. */
function rowTime({ maxPositions }: { readonly maxPositions: number }): number {
  return Math.min(rowTokens, Math.floor(maxPositions / 2));
}

/** Beginnings of the texts in a row, each as long as it takes for enough tokens in all. */
function tokensOf(
  tokenizer: { readonly encode: (text: string) => number[] },
  texts: readonly string[],
  separator: number,
): Int32Array {
  const wanted = 2 * rows * batches * rowTokens;
  const characters = Math.ceil((8 * wanted) / texts.length);
  return Int32Array.from(
    texts.flatMap((text) => [...tokenizer.encode(text.slice(0, characters)), separator]).slice(0, 4 * wanted),
  );
}
