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
export { EncoderEmbedder } from './embed/encoder-embedder.ts';
export { loadEmbedder } from './embed/load-embedder.ts';
export type { Embedder, TextKind } from './embed/embedder.ts';
export { assertSourceSize, formatOf, mostSourceBytes } from './parse/parse-source.ts';
export { metadataOf } from './parse/jsonl.ts';
export type { Metadata, PartFailure } from './parse/parsed-document.ts';
export { parseFilter } from './search/filter.ts';
export { parseQuery, searchModes } from './search/query.ts';
export type { SearchMode, SearchRequest } from './search/query.ts';
export { fitReranking } from './rerank/fit-reranking.ts';
export { Reranker } from './rerank/reranker.ts';
export type { RerankingFit } from './rerank/reranker.ts';
export type { DocumentRecord } from './store/passage-store.ts';
export { fitSearch } from './embed/fit-search.ts';
export { embedderDefaults, trainEmbedder } from './embed/train-embedder.ts';
export type { EmbedderSettings, EmbedderTraining, TrainingPair, TrainingPassage } from './embed/train-embedder.ts';
export { readBeir } from './evaluate/beir.ts';
export { readQuestions } from './evaluate/question-files.ts';
export { readTrec } from './evaluate/trec-files.ts';
export type { RetrievalTask } from './evaluate/beir.ts';
export { evaluateRetrieval, ingestTask } from './evaluate/evaluate-retrieval.ts';
export type { RetrievalFigures } from './evaluate/evaluate-retrieval.ts';
