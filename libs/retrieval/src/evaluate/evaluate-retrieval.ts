/**
 * How well a collection is searched, by judged queries: the words alone, the vectors alone, and both with a weight that is
 * fitted on the other half of the queries (two folds), so that no query is judged with a weight that has seen it.
 *
 * Documents are searched whole, as BEIR's figures are made: one passage each.
 */
import { Random } from '@crucible/foundation';
import type { Collection } from '../collection.ts';
import { type Candidate, fitDenseWeight, fuse } from '../search/fusion.ts';
import type { RetrievalTask } from './beir.ts';
import { type Judgements, meanFigures, type TrecFigures, trecFigures } from './trec-metrics.ts';

export interface RetrievalFigures {
  readonly bm25: TrecFigures;
  /** Undefined: the collection has no embedder. */
  readonly dense: TrecFigures | undefined;
  readonly hybrid: TrecFigures | undefined;
  /** Of the two folds. */
  readonly denseWeights: readonly number[];
}

const depth = 1000;

interface JudgedTaskQuery {
  readonly fold: number;
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
    judged.push({ fold: i % 2, candidates, relevant, documentOf });
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
  if (!collection.embedder) return { bm25, dense: undefined, hybrid: undefined, denseWeights: [] };
  const denseWeights = [0, 1].map((fold) =>
    fitDenseWeight(
      judged
        .filter((query) => query.fold !== fold)
        .map(({ candidates, relevant, documentOf }) => ({
          candidates,
          isRelevant: (slot) => (relevant.get(documentOf(slot)) ?? 0) > 0,
        })),
    ),
  );
  return {
    bm25,
    dense: figures(({ candidates }) => candidates.map(({ slot, dense }) => ({ slot, score: dense }))),
    hybrid: figures(({ candidates, fold }) => fuse(candidates, denseWeights[fold]!)),
    denseWeights,
  };
}
