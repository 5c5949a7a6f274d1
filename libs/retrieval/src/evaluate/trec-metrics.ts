/**
 * Figures of a ranking as trec_eval defines them: gains are the judgements themselves, what is not judged is not relevant,
 * and of equal scores the document whose id is greater comes first.
 */

/** Judgements of one query by document; relevant are those above 0. */
export type Judgements = ReadonlyMap<string, number>;

export interface RankedDocument {
  readonly id: string;
  readonly score: number;
}

export interface TrecFigures {
  readonly ndcg10: number;
  readonly recall2: number;
  readonly recall5: number;
  readonly recall10: number;
  readonly recall100: number;
  readonly map: number;
  readonly mrr: number;
}

export function trecFigures(ranking: readonly RankedDocument[], judgements: Judgements): TrecFigures {
  const ranked = [...ranking].sort((a, b) => b.score - a.score || (a.id > b.id ? -1 : 1));
  const gains = ranked.map(({ id }) => Math.max(0, judgements.get(id) ?? 0));
  const ideal = [...judgements.values()].filter((gain) => gain > 0).sort((a, b) => b - a);
  const relevant = ideal.length;
  let found = 0;
  let precisions = 0;
  gains.forEach((gain, i) => {
    if (gain > 0) precisions += ++found / (i + 1);
  });
  const first = gains.findIndex((gain) => gain > 0);
  const recall = (depth: number): number =>
    relevant === 0 ? 0 : gains.slice(0, depth).filter((gain) => gain > 0).length / relevant;
  return {
    ndcg10: relevant === 0 ? 0 : discounted(gains, 10) / discounted(ideal, 10),
    recall2: recall(2),
    recall5: recall(5),
    recall10: recall(10),
    recall100: recall(100),
    map: relevant === 0 ? 0 : precisions / relevant,
    mrr: first === -1 ? 0 : 1 / (first + 1),
  };
}

/** The mean over queries; those of which nothing was found count as 0. */
export function meanFigures(figures: readonly TrecFigures[]): TrecFigures {
  const mean = (pick: (each: TrecFigures) => number): number =>
    figures.length === 0 ? 0 : figures.reduce((sum, each) => sum + pick(each), 0) / figures.length;
  return {
    ndcg10: mean(({ ndcg10 }) => ndcg10),
    recall2: mean(({ recall2 }) => recall2),
    recall5: mean(({ recall5 }) => recall5),
    recall10: mean(({ recall10 }) => recall10),
    recall100: mean(({ recall100 }) => recall100),
    map: mean(({ map }) => map),
    mrr: mean(({ mrr }) => mrr),
  };
}

function discounted(gains: readonly number[], depth: number): number {
  return gains.slice(0, depth).reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0);
}
