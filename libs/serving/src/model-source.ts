/** A version of a model, as it lies in a checkpoint folder. */
export interface ModelDescription {
  readonly name: string;
  readonly version: number;
  /** The training stage that made it. */
  readonly stage: string;
  /** `language`, `scalar`, `adapter` of a language model, or one that nobody serves. */
  readonly kind: string;
  /** Of an adapter, `name@version` of the model that it belongs to. */
  readonly parent?: string;
  readonly folder: string;
  readonly uri: string;
  /** Of the weights. */
  readonly sha256: string;
  /** Of an adapter without a tokenizer, empty: the model's is meant. */
  readonly tokenizerSha256: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** Where models come from: the registry. */
export interface ModelSource {
  /** Names of all models. */
  readonly names: () => readonly string[];
  /** The newest version of a model. */
  readonly resolve: (name: string) => ModelDescription;
  /** The model in a folder that `uri` names; `not-found` or `invalid-input` where there is none. */
  readonly open: (uri: string) => ModelDescription;
}

/** What an engine says of a model that it has loaded. */
export interface LoadedModel {
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly parameterCount: number;
  /** Empty for a model that does not generate. */
  readonly endTokenIds: readonly number[];
  /** What it tells apart, where it was tuned for labels. Default: none. */
  readonly labels?: readonly string[];
  /** Where it computes: `cpu`, `webgpu` or `cuda`. */
  readonly device: string;
  /** Adapters of the model, by their whole names, that no longer fit it and are gone. Default: none. */
  readonly dropped?: readonly string[];
}
