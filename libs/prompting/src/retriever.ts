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

export interface TextDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface SearchOptions {
  /** The most passages. */
  readonly limit: number;
  /** Search in these documents alone, by id. Default: in all. */
  readonly documents?: readonly string[];
  readonly signal: AbortSignal;
}

export interface Retriever {
  /** The best passages for a query, best first; empty where nothing fits. */
  readonly search: (query: string, options: SearchOptions) => Promise<readonly Passage[]>;
  /** A whole document, by its id or by exactly its title, the first of several; undefined where there is none. */
  readonly documentOf: (
    wanted: { readonly id: string } | { readonly title: string },
    options: { readonly signal: AbortSignal },
  ) => Promise<TextDocument | undefined>;
}

/** Vectors of texts, one each; similar texts have a large scalar product. */
export interface Embedder {
  readonly embed: (
    texts: readonly string[],
    options: { readonly signal: AbortSignal },
  ) => Promise<readonly (readonly number[] | Float32Array)[]>;
}
