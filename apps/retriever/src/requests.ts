/** The edge of the retriever: what a request says is checked here, before any work. */
import type { JsonObject } from '@bufbuild/protobuf';
import { invalidInput } from '@crucible/foundation';
import type {
  EmbedRequest,
  GetDocumentRequest,
  JobSpec,
  SearchRequest as WireSearchRequest,
  SourceHeader,
} from '@crucible/protos/retriever/v1';
import { SearchMode as WireMode, TextKind } from '@crucible/protos/retriever/v1';
import {
  assertCollectionName,
  formatOf,
  type Metadata,
  metadataOf,
  parseFilter,
  parseQuery,
  type SearchMode,
  type SearchRequest,
} from '@crucible/retrieval';
import { resolvePath } from './files.ts';
import type { EngineMethods, SourceSettings } from './worker-protocol.ts';

const leastTokens = 16;
const mostTokens = 4096;
const mostNameLength = 1024;
const mostFields = 64;
const mostMetadataCharacters = 64 * 1024;
const mostSteps = 100_000;
const mostTexts = 2048;
const mostTextCharacters = 65_536;

const modes: Readonly<Record<WireMode, SearchMode>> = {
  [WireMode.UNSPECIFIED]: 'hybrid',
  [WireMode.HYBRID]: 'hybrid',
  [WireMode.LEXICAL]: 'lexical',
  [WireMode.DENSE]: 'dense',
};

export function collectionOf(given: string): string {
  const name = given === '' ? 'default' : given;
  assertCollectionName(name);
  return name;
}

export function checkedSearch(request: WireSearchRequest): SearchRequest {
  const { query, limit, filter, mode, neighbours, denseWeight, rerank } = request;
  const checked: SearchRequest = {
    query,
    neighbours,
    mode: modes[mode] ?? ('unknown' as SearchMode),
    ...(limit !== 0 && { limit }),
    ...(filter && { filter }),
    ...(denseWeight !== undefined && { denseWeight }),
    ...(rerank !== undefined && { rerank }),
  };
  parseQuery(checked);
  return checked;
}

export function checkedEmbed(request: EmbedRequest): EngineMethods['embed']['args'] {
  const { collection, texts, kind, dimensions } = request;
  if (texts.length === 0 || texts.length > mostTexts)
    throw invalidInput(`texts: there are ${texts.length}; 1 to ${mostTexts} are allowed`, { at: 'texts' });
  for (const [i, { length }] of texts.entries())
    if (length === 0 || length > mostTextCharacters)
      throw invalidInput(`texts[${i}]: it has ${length} characters; 1 to ${mostTextCharacters} are allowed`, {
        at: `texts[${i}]`,
      });
  return {
    collection: collectionOf(collection),
    texts,
    kind: kind === TextKind.QUERY ? 'query' : 'passage',
    dimensions: dimensions === 0 ? undefined : dimensions,
  };
}

export function checkedDocument(request: GetDocumentRequest): EngineMethods['get']['args'] {
  const { collection, id, title, filter, start, end } = request;
  if (end !== 0 && end < start) throw invalidInput(`end: ${end} is before start, ${start}`, { at: 'end' });
  if ((id === '') === (title === ''))
    throw invalidInput(`id: ${id === '' ? 'neither it nor a title is' : 'both it and a title are'} given`, {
      at: 'id',
    });
  if (filter && title === '') throw invalidInput('filter: it is for a title alone', { at: 'filter' });
  if (filter) parseFilter(filter);
  return { collection: collectionOf(collection), wanted: id === '' ? { title, filter } : { id }, start, end };
}

export function checkedSource({ name, ...settings }: SourceHeader): {
  readonly name: string;
  readonly settings: SourceSettings;
} {
  if (name === '' || name.length > mostNameLength) {
    throw invalidInput(`name: it has ${name.length} characters; 1 to ${mostNameLength} are allowed`, { at: 'name' });
  }
  if (!formatOf(name)) {
    throw invalidInput(
      `name: the ending of ${name} says no known format; there are md, html, pdf, docx, txt, csv, jsonl, …`,
      {
        at: 'name',
      },
    );
  }
  return { name, settings: checkedSettings(settings) };
}

export function checkedSettings(given: {
  readonly encoding: string;
  readonly metadata?: JsonObject | undefined;
  readonly passageTokens: number;
}): SourceSettings {
  const { encoding, metadata = {}, passageTokens } = given;
  if (passageTokens !== 0 && (passageTokens < leastTokens || passageTokens > mostTokens)) {
    throw invalidInput(`passage_tokens: ${passageTokens} is not within ${leastTokens} and ${mostTokens}`, {
      at: 'passage_tokens',
    });
  }
  return {
    encoding: encoding === '' ? undefined : encoding,
    metadata: checkedMetadata(metadata),
    passageTokens: passageTokens === 0 ? undefined : passageTokens,
  };
}

export function assertJobSpec({ collection, kind }: JobSpec): void {
  collectionOf(collection);
  switch (kind.case) {
    case 'ingest':
      resolvePath(kind.value.path);
      checkedSettings(kind.value);
      return;
    case 'embedder':
      if (kind.value.folder !== '') resolvePath(kind.value.folder);
      if (kind.value.steps > mostSteps)
        throw invalidInput(`steps: ${kind.value.steps} is above ${mostSteps}`, { at: 'steps' });
      return;
    case 'reranker':
      if (kind.value.folder !== '') resolvePath(kind.value.folder);
      return;
    case undefined:
      throw invalidInput('spec: it says nothing to do; ingest, embedder or reranker is needed', { at: 'spec' });
  }
}

function checkedMetadata(given: JsonObject): Metadata {
  const metadata = metadataOf(given);
  const wrong = Object.keys(given).find((key) => !(key in metadata));
  if (wrong !== undefined) {
    throw invalidInput(`metadata.${wrong}: a string, a number, true, false or a list of strings is needed`, {
      at: `metadata.${wrong}`,
    });
  }
  if (Object.keys(given).length > mostFields || JSON.stringify(given).length > mostMetadataCharacters) {
    throw invalidInput(
      `metadata: at most ${mostFields} fields of ${mostMetadataCharacters} characters together are allowed`,
      {
        at: 'metadata',
      },
    );
  }
  return metadata;
}
