/**
 * The two legs as one score, and what a re-ranker says of the best of them. Scores of a query are brought to 0 … 1 and added
 * with weights: lexical scores by their maximum, since 0 means that no word fits; others by their least and greatest among the
 * candidates. Ranks alone (reciprocal rank fusion) know nothing of how much better the better leg is, and lose to it where the
 * other is weak.
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
  /** What the re-ranker said, if it was asked. */
  readonly reranked?: number;
}

/** Best first. */
export function fuse(candidates: readonly Candidate[], denseWeight: number): Fused[] {
  const mostLexical = candidates.reduce((most, { lexical }) => Math.max(most, lexical), 0) || 1;
  const dense = scaled(candidates.map((candidate) => candidate.dense));
  return candidates
    .map((candidate, i) => ({
      ...candidate,
      score: ((1 - denseWeight) * candidate.lexical) / mostLexical + denseWeight * dense[i]!,
    }))
    .sort((a, b) => b.score - a.score || a.slot - b.slot);
}

/** The first of `fused` with a re-ranker's scores of them, anew; the others stay behind them in their order. Best first. */
export function fuseReranked(fused: readonly Fused[], scores: readonly number[], weight: number): Fused[] {
  const first = fused.slice(0, scores.length);
  const before = scaled(first.map(({ score }) => score));
  const own = scaled(scores);
  const ordered = first
    .map((each, i) => ({ ...each, score: (1 - weight) * before[i]! + weight * own[i]!, reranked: scores[i]! }))
    .sort((a, b) => b.score - a.score || a.slot - b.slot);
  return [...ordered, ...fused.slice(scores.length).map((each) => ({ ...each, score: 0 }))];
}

function scaled(values: readonly number[]): number[] {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const range = values.reduce((a, b) => Math.max(a, b), -Infinity) - least || 1;
  return values.map((value) => (value - least) / range);
}

/** Weights that are tried. */
const weights = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;
/** Standard errors by which a gain must be above nothing: nine of ten gains of chance are below that. */
const certainty = 1.28;

export interface JudgedQuery {
  readonly candidates: readonly Candidate[];
  readonly isRelevant: (slot: number) => boolean;
}

export interface JudgedReranking {
  /** As the search orders them. */
  readonly fused: readonly Fused[];
  /** Of the re-ranker, for the first of them. */
  readonly scores: readonly number[];
  readonly isRelevant: (slot: number) => boolean;
}

/** The weight of the vectors; see `fitWeight`. */
export function fitDenseWeight(queries: readonly JudgedQuery[]): number {
  return fitWeight(queries, ({ candidates }, weight) => fuse(candidates, weight));
}

/** The weight of a re-ranker; see `fitWeight`. */
export function fitRerankWeight(queries: readonly JudgedReranking[]): number {
  return fitWeight(queries, ({ fused, scores }, weight) => fuseReranked(fused, scores, weight));
}

/**
 * The weight with the best mean reciprocal rank over judged queries, unless the search does as well without within the error
 * of the measurement: then it is 0. What is weak must show that it helps.
 */
function fitWeight<Q extends { readonly isRelevant: (slot: number) => boolean }>(
  queries: readonly Q[],
  ranked: (query: Q, weight: number) => readonly Fused[],
): number {
  const ranks = (weight: number): number[] =>
    queries.map((query) => {
      const rank = ranked(query, weight).findIndex(({ slot }) => query.isRelevant(slot));
      return rank === -1 ? 0 : 1 / (rank + 1);
    });
  const alone = ranks(0);
  let best = { weight: 0, gain: 0 };
  for (const weight of weights) {
    const gains = ranks(weight).map((value, i) => value - alone[i]!);
    const mean = gains.reduce((a, b) => a + b, 0) / gains.length;
    const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / Math.max(1, gains.length - 1);
    if (mean > best.gain && mean > certainty * Math.sqrt(variance / gains.length)) best = { weight, gain: mean };
  }
  return best.weight;
}
