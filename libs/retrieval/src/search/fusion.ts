/**
 * The two legs as one score. Each leg's scores of a query are brought to 0 … 1 and added with weights: lexical scores by
 * their maximum, since 0 means that no word fits; similarities by their least and greatest among the candidates. Ranks alone
 * (reciprocal rank fusion) know nothing of how much better the better leg is, and lose to it where the other is weak.
 */
export interface Candidate {
  readonly slot: number;
  /** BM25; 0 where no word of the query is in the passage. */
  readonly lexical: number;
  /** Cosine. */
  readonly dense: number;
}

export interface Fused extends Candidate {
  readonly score: number;
}

/** Best first. */
export function fuse(candidates: readonly Candidate[], denseWeight: number): Fused[] {
  const mostLexical = candidates.reduce((most, { lexical }) => Math.max(most, lexical), 0) || 1;
  const similarities = candidates.map(({ dense }) => dense);
  const least = Math.min(...similarities);
  const range = Math.max(...similarities) - least || 1;
  return candidates
    .map((candidate) => ({
      ...candidate,
      score: ((1 - denseWeight) * candidate.lexical) / mostLexical + (denseWeight * (candidate.dense - least)) / range,
    }))
    .sort((a, b) => b.score - a.score || a.slot - b.slot);
}

/** Weights that are tried. */
const denseWeights = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;

export interface JudgedQuery {
  readonly candidates: readonly Candidate[];
  readonly isRelevant: (slot: number) => boolean;
}

/**
 * The weight with the best mean reciprocal rank over judged queries, unless words alone do as well within the error of the
 * measurement (one standard error of the differences): then it is 0. A weak leg must show that it helps.
 */
export function fitDenseWeight(queries: readonly JudgedQuery[]): number {
  const ranks = (weight: number): number[] =>
    queries.map(({ candidates, isRelevant }) => {
      const rank = fuse(candidates, weight).findIndex(({ slot }) => isRelevant(slot));
      return rank === -1 ? 0 : 1 / (rank + 1);
    });
  const alone = ranks(0);
  let best = { weight: 0, gain: 0 };
  for (const weight of denseWeights) {
    const gains = ranks(weight).map((value, i) => value - alone[i]!);
    const mean = gains.reduce((a, b) => a + b, 0) / gains.length;
    const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / Math.max(1, gains.length - 1);
    if (mean > best.gain && mean > Math.sqrt(variance / gains.length)) best = { weight, gain: mean };
  }
  return best.weight;
}
