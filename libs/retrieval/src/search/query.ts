/** What is asked for: the words, and what the passages must have. */
import { invalidInput } from '@crucible/foundation';
import { type Filter, parseFilter } from './filter.ts';

export interface SearchRequest {
  /** Words; those in double quotes must be in the passage in that order. */
  readonly query: string;
  /** Passages that are wanted, 1 to 1000. Default: 10. */
  readonly limit?: number;
  /** `lexical` (BM25), `dense` (the embedder), or both. Default: `hybrid`; without an embedder that is `lexical`. */
  readonly mode?: SearchMode;
  /** See `parseFilter`. Default: everything. */
  readonly filter?: unknown;
  /** Neighbouring passages on either side of each, 0 to 20. Default: 0. */
  readonly neighbours?: number;
  /** Weight of the dense leg, 0 to 1. Default: what was fitted for the collection. */
  readonly denseWeight?: number;
  /** Passages that the re-ranker orders anew, 0 to 100; 0: none. Default: what was fitted for the collection. */
  readonly rerank?: number;
}

export const searchModes = ['hybrid', 'lexical', 'dense'] as const;

export type SearchMode = (typeof searchModes)[number];

export interface Query {
  readonly text: string;
  /** Of the double quotes. */
  readonly phrases: readonly string[];
  readonly limit: number;
  readonly mode: SearchMode;
  readonly filter: Filter | undefined;
  readonly neighbours: number;
  readonly denseWeight: number | undefined;
  readonly rerank: number | undefined;
}

const mostCharacters = 8192;
const mostPassages = 1000;
const mostNeighbours = 20;
const mostReranked = 100;

export function parseQuery(request: SearchRequest): Query {
  const { query, limit = 10, mode = 'hybrid', filter, neighbours = 0, denseWeight, rerank } = request;
  if (query.trim() === '') throw invalidInput('query: it is empty', { at: 'query' });
  if (query.length > mostCharacters) {
    throw invalidInput(`query: it has ${query.length} characters; ${mostCharacters} are allowed`, { at: 'query' });
  }
  assertWithin('limit', limit, 1, mostPassages);
  assertWithin('neighbours', neighbours, 0, mostNeighbours);
  if (rerank !== undefined) assertWithin('rerank', rerank, 0, mostReranked);
  if (!searchModes.includes(mode)) {
    throw invalidInput(`mode: ${mode as string} does not exist; there are ${searchModes.join(', ')}`, { at: 'mode' });
  }
  if (denseWeight !== undefined && !(denseWeight >= 0 && denseWeight <= 1)) {
    throw invalidInput(`dense_weight: ${denseWeight} is not within 0 and 1`, { at: 'dense_weight' });
  }
  return {
    text: query,
    phrases: [...query.matchAll(/"([^"]+)"/g)].map(([, phrase]) => phrase!).filter((phrase) => phrase.trim() !== ''),
    limit,
    mode,
    filter: filter === undefined ? undefined : parseFilter(filter),
    neighbours,
    denseWeight,
    rerank,
  };
}

function assertWithin(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalidInput(`${name}: ${value} is no whole number from ${least} to ${most}`, { at: name });
}
