/** A collection of our retriever over gRPC, for strategies that look things up. */
import type { JsonObject } from '@bufbuild/protobuf';
import { CrucibleError } from '@crucible/foundation';
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
  const conditionsWith = (documents?: readonly string[]): { readonly filter?: JsonObject } => {
    const conditions: JsonObject[] = [
      ...(filter ? [filter] : []),
      ...[only, documents].flatMap((ids) => (ids ? [{ '@id': { in: [...ids] } }] : [])),
    ];
    return conditions.length > 0 ? { filter: { and: conditions } } : {};
  };
  return {
    search: async (query, { limit, documents, signal }) => {
      const asked = query.trim().slice(0, mostQueryCharacters);
      if (asked === '') return [];
      const { hits } = await retriever.search(
        { collection, query: asked, limit, ...conditionsWith(documents) },
        { signal, deadlineMs },
      );
      return hits.map(({ passage, document, score }): Passage => {
        const { documentId: id = '', text = '', start = 0, end = 0 } = passage ?? {};
        return { document: { id, title: document?.title ?? '' }, text, start, end, score };
      });
    },
    documentOf: async (wanted, { signal }) => {
      const asked = 'id' in wanted ? { id: wanted.id } : { title: wanted.title, ...conditionsWith() };
      try {
        const { document, text } = await retriever.getDocument({ collection, ...asked }, { signal, deadlineMs });
        return { id: document!.id, title: document!.title, text };
      } catch (reason) {
        if (reason instanceof CrucibleError && reason.code === 'not-found') return undefined;
        throw reason;
      }
    },
  };
}
