/**
 * How much the vectors of a collection are to count beside the words, and when nothing fits: fitted on queries that were made
 * from passages of its own that the embedder has not learned from, a few words of a sentence each. That nothing fits is
 * learned from the same queries with the document that they come from hidden.
 */
import { Random } from '@crucible/foundation';
import type { Collection } from '../collection.ts';
import { sentenceStarts } from '../chunk/sentences.ts';
import { analyze } from '../search/analyze.ts';
import { fitFitModel, type FitSigns } from '../search/confidence.ts';
import { type Candidate, fitDenseWeight, fuse, type JudgedQuery } from '../search/fusion.ts';
import { isHeldOut } from './train-embedder.ts';
import type { SearchFit } from './embedder.ts';

const queries = 300;
const depth = 100;
/** Share of a sentence's words that a query has. */
const keptWords = 0.4;

/** A query that was made of a passage. */
export interface MadeQuery {
  readonly query: string;
  /** The passage's slot. */
  readonly slot: number;
  /** Whether a slot is of the same document. */
  readonly isOwn: (slot: number) => boolean;
}

/** Queries of passages that the embedder has not learned from. */
export function* makeQueries(collection: Collection, count: number, seed: number): Generator<MadeQuery> {
  const random = Random.seeded(seed).fork('fit search');
  const passages = random.shuffled([...collection.passages()].filter(({ text }) => isHeldOut(text))).slice(0, count);
  for (const { record, ordinal, text } of passages) {
    const query = queryFrom(text, random);
    const slot = collection.slotOf(record.id, ordinal);
    if (query !== '' && slot !== undefined)
      yield { query, slot, isOwn: (each) => collection.passageAt(each).record.id === record.id };
  }
}

export async function fitSearch(collection: Collection, seed = 1): Promise<SearchFit> {
  const judged: JudgedQuery[] = [];
  const signs: { query: string; found: readonly Candidate[]; hidden: readonly Candidate[] }[] = [];
  for (const { query, slot, isOwn } of makeQueries(collection, queries, seed)) {
    const found = await collection.candidates(query, depth);
    judged.push({ candidates: found, isRelevant: (each) => each === slot });
    signs.push({ query, found, hidden: await collection.candidates(query, depth, isOwn) });
  }
  const denseWeight = fitDenseWeight(judged);
  const examples = signs.flatMap(({ query, found, hidden }) => [
    { fits: true, signs: signsOf(collection, query, found, denseWeight) },
    { fits: false, signs: signsOf(collection, query, hidden, denseWeight) },
  ]);
  return { denseWeight, fitModel: fitFitModel(examples) };
}

function signsOf(
  collection: Collection,
  query: string,
  candidates: readonly Candidate[],
  denseWeight: number,
): FitSigns {
  const [best] = fuse(candidates, denseWeight);
  if (!best) return { coverage: 0, similarity: 0 };
  const { record, heading, text } = collection.passageAt(best.slot);
  return { coverage: collection.coverage(query, `${record.title}\n${heading}\n${text}`), similarity: best.dense };
}

/** Some words of a sentence, in their order. */
function queryFrom(text: string, random: Random): string {
  const starts = sentenceStarts(text, 0, text.length);
  const chosen = random.integer(0, starts.length - 1);
  const sentence = text.slice(starts[chosen], starts[chosen + 1] ?? text.length);
  const words = analyze(sentence);
  const count = Math.min(words.length, Math.max(3, Math.round(words.length * keptWords)));
  return random
    .shuffled(words.map((_word, i) => i))
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => sentence.slice(words[i]!.start, words[i]!.end))
    .join(' ')
    .slice(0, 500);
}
