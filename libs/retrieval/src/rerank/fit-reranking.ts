/** Whether a re-ranker helps a collection, by queries made of its passages; see `makeQueries`. */
import { throwIfCancelled } from '@crucible/foundation';
import type { Collection } from '../collection.ts';
import { makeQueries } from '../embed/fit-search.ts';
import { fitRerankWeight, fuse, type JudgedReranking } from '../search/fusion.ts';
import type { RerankingFit } from './reranker.ts';

const queries = 150;
/** Passages that are ordered anew: what a search of ten results shows, twice. */
const depth = 20;

export interface RerankingFitting {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** For the re-ranker that the collection has. */
export async function fitReranking(
  collection: Collection,
  { signal, onProgress }: RerankingFitting = {},
): Promise<RerankingFit> {
  const judged: JudgedReranking[] = [];
  const denseWeight = collection.embedder?.fit?.denseWeight ?? 0;
  const made = [...makeQueries(collection, queries, 1)];
  for (const [i, { query, slot }] of made.entries()) {
    throwIfCancelled(signal, 'the fitting of the re-ranker');
    const fused = fuse(await collection.candidates(query, depth), denseWeight);
    const first = fused.slice(0, depth).map((each) => each.slot);
    if (first.length === 0) continue;
    judged.push({ fused, scores: await collection.rerankScores(query, first), isRelevant: (each) => each === slot });
    onProgress?.(i + 1, made.length);
  }
  return { depth, weight: judged.length === 0 ? 0 : fitRerankWeight(judged) };
}
