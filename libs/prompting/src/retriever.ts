/** Where strategies look things up. */

/** A stretch of a document. */
export interface Passage {
  readonly document: { readonly id: string; readonly title: string };
  readonly text: string;
  /** Where the text stands in the document, in characters: [start, end). */
  readonly start: number;
  readonly end: number;
  /** Higher is better; only scores of one search compare. */
  readonly score: number;
}

export interface SearchOptions {
  /** The most passages. */
  readonly limit: number;
  /** Search in these documents alone, by id. Default: in all. */
  readonly documents?: readonly string[];
  /** Search in documents of exactly this title alone. Default: in all. */
  readonly title?: string;
  readonly signal: AbortSignal;
}

export interface Retriever {
  /** The best passages for a query, best first; empty where nothing fits. */
  readonly search: (query: string, options: SearchOptions) => Promise<readonly Passage[]>;
  /** The whole text of a document. Without it, a page is put together of the passages that a search for its title finds. */
  readonly textOf?: (document: string, options: { readonly signal: AbortSignal }) => Promise<string>;
}

/** Vectors of texts, one each; similar texts have a large scalar product. */
export interface Embedder {
  readonly embed: (
    texts: readonly string[],
    options: { readonly signal: AbortSignal },
  ) => Promise<readonly (readonly number[] | Float32Array)[]>;
}
