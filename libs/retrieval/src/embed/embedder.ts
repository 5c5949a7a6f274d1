import type { FitModel } from '../search/confidence.ts';

export type TextKind = 'query' | 'passage';

/** Texts as vectors of length 1; texts without any known term give zeros. */
export interface Embedder {
  /** Another one for every other set of vectors: passages are embedded anew when it changes. */
  readonly version: string;
  readonly dimensions: number;
  /** The first dimensions that are a vector by themselves; `dimensions` where none are. */
  readonly coarse: number;
  readonly embed: (texts: readonly string[], kind: TextKind) => Promise<Float32Array[]>;
  /** Of what is read in a text. */
  readonly countTokens: (text: string, kind: TextKind) => number;
  /** What was fitted with it, on queries held out. */
  readonly fit: SearchFit | undefined;
  /** The same embedder with what was fitted for it. */
  readonly withFit: (fit: SearchFit) => Embedder;
  /** All of it, to be kept with the documents. */
  readonly serialize: () => Uint8Array;
  readonly dispose: () => Promise<void>;
}

export interface SearchFit {
  readonly denseWeight: number;
  readonly fitModel: FitModel;
}
