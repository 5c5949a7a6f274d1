/**
 * Between the service and its processes: the engine, which holds the collections; the reader, which opens files; and one for
 * each job that gives a collection an embedder.
 */
import type { JsonObject } from '@bufbuild/protobuf';
import type {
  CollectionInfo,
  DocumentRecord,
  IngestResult,
  Metadata,
  PreparedSource,
  SearchRequest,
  SearchResult,
  TextKind,
} from '@crucible/retrieval';

export interface SourceSettings {
  readonly encoding: string | undefined;
  readonly metadata: Metadata;
  /** Undefined: the default. */
  readonly passageTokens: number | undefined;
}

interface Call<Args, Result> {
  readonly args: Args;
  readonly result: Result;
  readonly item: never;
}

export interface NamedDigest {
  readonly name: string;
  readonly digest: string;
}

/** The first by id of exactly this title. */
export interface TitledDocument {
  readonly title: string;
  readonly filter: JsonObject | undefined;
}

interface DocumentText {
  readonly record: DocumentRecord;
  readonly text: string;
  readonly textLength: number;
  readonly passages: number;
}

interface EmbedArgs {
  readonly collection: string;
  /** Empty: one is trained. */
  readonly folder: string;
  readonly steps: number;
  readonly seed: number;
  /** A file that keeps how far the training is. */
  readonly checkpoint: string;
}

interface RerankArgs {
  readonly collection: string;
  /** Empty: the one that is there is taken away. */
  readonly folder: string;
}

export interface EmbedProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

export interface EngineMethods {
  readonly ingest: Call<{ collection: string; sources: readonly PreparedSource[] }, IngestResult[]>;
  /** Which of the sources are there already, with the same digest. */
  readonly has: Call<{ collection: string; sources: readonly NamedDigest[] }, boolean[]>;
  /** Ids of what was there. */
  readonly remove: Call<{ collection: string; ids: readonly string[]; sources: readonly string[] }, string[]>;
  readonly sources: Call<{ collection: string; prefix: string }, string[]>;
  readonly search: Call<{ collection: string; request: SearchRequest }, SearchResult>;
  readonly get: Call<
    { collection: string; wanted: { readonly id: string } | TitledDocument; start: number; end: number },
    DocumentText
  >;
  readonly embed: Call<
    { collection: string; texts: readonly string[]; kind: TextKind; dimensions: number | undefined },
    { vectors: Float32Array[]; embedder: string; tokens: number }
  >;
  readonly list: Call<{ collection: string; after: string; limit: number }, DocumentRecord[]>;
  readonly collections: Call<undefined, (CollectionInfo & { readonly name: string })[]>;
  readonly drop: Call<{ collection: string }, undefined>;
}

export interface EmbedderMethods {
  readonly embed: {
    readonly args: EmbedArgs;
    readonly result: { readonly version: string };
    readonly item: EmbedProgress;
  };
  readonly rerank: {
    readonly args: RerankArgs;
    readonly result: undefined;
    readonly item: EmbedProgress;
  };
}

/** Memory of the process that reads documents: what a parser may take. */
export const mostReaderMegabytes = 1536;

export interface FileToRead {
  readonly path: string;
  readonly name: string;
}

interface ReadFailure {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** One of both. */
export interface ReadResult<T> {
  readonly value?: T;
  readonly failure?: ReadFailure;
}

export interface ReaderMethods {
  readonly digests: Call<{ files: readonly FileToRead[]; settings: SourceSettings }, ReadResult<NamedDigest>[]>;
  readonly prepare: Call<{ files: readonly FileToRead[]; settings: SourceSettings }, ReadResult<PreparedSource>[]>;
}
