export { Collection } from './collection.ts';
export type {
  CollectionInfo,
  CollectionOptions,
  Hit,
  IncomingDocument,
  IncomingSource,
  IngestResult,
  Passage,
  SearchResult,
} from './collection.ts';
export { KnowledgeBase, assertCollectionName } from './knowledge-base.ts';
export { digestSource, prepareSource } from './prepare-source.ts';
export type { PreparedSource, PrepareOptions } from './prepare-source.ts';
