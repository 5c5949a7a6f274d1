/** How likely a decoder goes on from prompts with given tokens. */
import { blockHeight, type LogProbabilityScorer, packSequences, rowTime } from '@crucible/inference';
import type { ModelWeights } from '@crucible/nn';

export interface ContinuedPrompt {
  readonly prompt: readonly number[];
  /** Each at least one token. */
  readonly continuations: readonly (readonly number[])[];
}

const promptsAtOnce = 64;

/** Of each prompt, the natural logarithms of the probabilities of its continuations. */
export async function scoreContinuations(
  scorer: LogProbabilityScorer,
  weights: ModelWeights,
  prompts: readonly ContinuedPrompt[],
  { context, pad }: { readonly context: number; readonly pad: number },
): Promise<number[][]> {
  const result: number[][] = [];
  for (let start = 0; start < prompts.length; start += promptsAtOnce) {
    const part = prompts.slice(start, start + promptsAtOnce);
    const continued = part.flatMap(({ prompt, continuations }) =>
      continuations.map((continuation) => ({ ids: [...prompt, ...continuation], length: continuation.length })),
    );
    const time = rowTime(Math.max(...continued.map(({ ids }) => ids.length)), context);
    const { packed, places } = packSequences(
      continued.map(({ ids }) => ids),
      { time, pad, rowMultiple: blockHeight(time) },
    );
    const at: number[] = [];
    const targets: number[] = [];
    continued.forEach(({ ids, length }, i) => {
      for (let n = ids.length - length; n < ids.length; n++) {
        at.push(places[i]![n - 1]!);
        targets.push(ids[n]!);
      }
    });
    const values = await scorer.score(weights, packed, at, targets, 1);
    let next = 0;
    const sums = continued.map(({ length }) => {
      const own = values.subarray(next, (next += length));
      return own.reduce((sum, value) => sum + value, 0);
    });
    let first = 0;
    for (const { continuations } of part) result.push(sums.slice(first, (first += continuations.length)));
  }
  return result;
}
