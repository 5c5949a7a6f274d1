/** A collection of our retriever over gRPC, for strategies that look things up. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { Passage, Retriever } from '@crucible/prompting';
import type { RetrieverService } from '@crucible/protos/retriever/v1';
import type { Client } from '@crucible/rpc';

export interface CollectionRetrieverOptions {
  /** '' is `default`. */
  readonly collection: string;
  /** The only documents that are searched, by id. Default: all. */
  readonly documents?: readonly string[];
  /** Conditions on the metadata, as SearchRequest has them. Default: none. */
  readonly filter?: JsonObject;
  /** Of one call. Default 30 s. */
  readonly deadlineMs?: number;
}

/** The longest query that the retriever takes. */
const mostQueryCharacters = 8192;

export function createCollectionRetriever(
  retriever: Pick<Client<typeof RetrieverService>, 'search' | 'getDocument'>,
  { collection, documents: only, filter, deadlineMs = 30_000 }: CollectionRetrieverOptions,
): Retriever {
  return {
    search: async (query, { limit, documents, title, signal }) => {
      const conditions: JsonObject[] = [
        ...(filter ? [filter] : []),
        ...[only, documents].flatMap((ids) => (ids ? [{ '@id': { in: [...ids] } }] : [])),
        ...(title === undefined ? [] : [{ '@title': title }]),
      ];
      const asked = query.trim().slice(0, mostQueryCharacters);
      if (asked === '') return [];
      const { hits } = await retriever.search(
        { collection, query: asked, limit, ...(conditions.length > 0 && { filter: { and: conditions } }) },
        { signal, deadlineMs },
      );
      return hits.map(({ passage, document, score }): Passage => {
        const { documentId: id = '', text = '', start = 0, end = 0 } = passage ?? {};
        return { document: { id, title: document?.title ?? '' }, text, start, end, score };
      });
    },
    textOf: async (id, { signal }) => (await retriever.getDocument({ collection, id }, { signal, deadlineMs })).text,
  };
}
