/**
 * How well a collection is searched, by judged queries: the words alone, the vectors alone, both with a weight, and what a
 * re-ranker makes of that with another weight. Weights are fitted on four fifths of the queries for the fifth that is left
 * (five folds), so that no query is judged with a weight that has seen it.
 *
 * Documents are searched whole, as BEIR's figures are made: one passage each.
 */
import { Random } from '@crucible/foundation';
import type { Collection } from '../collection.ts';
import { type Candidate, fitDenseWeight, fitRerankWeight, fuse, type Fused, fuseReranked } from '../search/fusion.ts';
import type { RetrievalTask } from './beir.ts';
import { type Judgements, meanFigures, type TrecFigures, trecFigures } from './trec-metrics.ts';

export interface RetrievalFigures {
  readonly bm25: TrecFigures;
  /** Undefined: the collection has no embedder. */
  readonly dense: TrecFigures | undefined;
  readonly hybrid: TrecFigures | undefined;
  /** Undefined: the collection has no re-ranker. */
  readonly reranked: TrecFigures | undefined;
  /** Of the folds. */
  readonly denseWeights: readonly number[];
  readonly rerankWeights: readonly number[];
}

const depth = 1000;
/** Documents that a re-ranker orders anew. */
const rerankDepth = 20;
const folds = [0, 1, 2, 3, 4] as const;

interface JudgedTaskQuery {
  readonly fold: number;
  readonly text: string;
  readonly candidates: readonly Candidate[];
  readonly relevant: Judgements;
  readonly documentOf: (slot: number) => string;
}

/** Puts the documents of a task into a collection, each as one passage under its id. */
export async function ingestTask(collection: Collection, task: RetrievalTask): Promise<void> {
  const size = 1000;
  for (let from = 0; from < task.documents.length; from += size) {
    const documents = task.documents.slice(from, from + size).map(({ id, title, text }) => {
      const own = text.trim() === '' ? title : text;
      const chunks = [{ start: 0, end: own.length, heading: '', page: 0 }];
      return { id, title: own === title ? '' : title, text: own, metadata: {}, chunks };
    });
    await collection.ingest([{ name: `documents from ${from}`, digest: '', documents }]);
  }
}

export async function evaluateRetrieval(collection: Collection, task: RetrievalTask): Promise<RetrievalFigures> {
  const shuffled = Random.seeded(1).fork('folds').shuffled(task.queries);
  const judged: JudgedTaskQuery[] = [];
  for (const [i, { id, text }] of shuffled.entries()) {
    const candidates = await collection.candidates(text, depth);
    const relevant = task.judgements.get(id)!;
    const documentOf = (slot: number): string => collection.passageAt(slot).record.id;
    judged.push({ fold: i % folds.length, text, candidates, relevant, documentOf });
  }
  const figures = (scores: (query: JudgedTaskQuery) => readonly { slot: number; score: number }[]): TrecFigures =>
    meanFigures(
      judged.map((query) =>
        trecFigures(
          scores(query).map(({ slot, score }) => ({ id: query.documentOf(slot), score })),
          query.relevant,
        ),
      ),
    );
  const bm25 = figures(({ candidates }) =>
    candidates.filter(({ lexical }) => lexical > 0).map(({ slot, lexical }) => ({ slot, score: lexical })),
  );
  const others = (fold: number) =>
    judged.flatMap((query) =>
      query.fold === fold
        ? []
        : [{ query, isRelevant: (slot: number) => (query.relevant.get(query.documentOf(slot)) ?? 0) > 0 }],
    );
  const denseWeights = collection.embedder
    ? folds.map((fold) =>
        fitDenseWeight(others(fold).map(({ query, ...rest }) => ({ ...rest, candidates: query.candidates }))),
      )
    : [];
  const fused = new Map<JudgedTaskQuery, readonly Fused[]>(
    judged.map((query) => [query, fuse(query.candidates, denseWeights[query.fold] ?? 0)]),
  );
  const scores = new Map<JudgedTaskQuery, readonly number[]>();
  if (collection.reranker) {
    for (const query of judged) {
      const slots = fused
        .get(query)!
        .slice(0, rerankDepth)
        .map(({ slot }) => slot);
      scores.set(query, slots.length === 0 ? [] : await collection.rerankScores(query.text, slots));
    }
  }
  const rerankWeights = collection.reranker
    ? folds.map((fold) =>
        fitRerankWeight(
          others(fold).map(({ query, ...rest }) => ({ ...rest, fused: fused.get(query)!, scores: scores.get(query)! })),
        ),
      )
    : [];
  return {
    bm25,
    dense: collection.embedder
      ? figures(({ candidates }) => candidates.map(({ slot, dense }) => ({ slot, score: dense })))
      : undefined,
    hybrid: collection.embedder ? figures((query) => fused.get(query)!) : undefined,
    reranked: collection.reranker
      ? figures((query) =>
          // By place: those that the re-ranker has not read stay behind those that it has.
          fuseReranked(fused.get(query)!, scores.get(query)!, rerankWeights[query.fold]!).map(({ slot }, i) => ({
            slot,
            score: -i,
          })),
        )
      : undefined,
    denseWeights,
    rerankWeights,
  };
}
