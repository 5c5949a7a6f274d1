/** What the reward service and its engine process say to each other. */
export interface RewardEngineMethods {
  /** Loads a checkpoint folder and serves new calls to `name` from it. */
  load: {
    args: { readonly name: string; readonly version: number; readonly folder: string };
    result: {
      readonly contextLength: number;
      readonly vocabularySize: number;
      readonly parameterCount: number;
      readonly endTokenIds: readonly number[];
    };
    item: never;
  };
  /** Scores whole sequences at their last tokens. */
  score: {
    args: { readonly name: string; readonly sequences: readonly (readonly number[])[] };
    result: { readonly version: number; readonly scores: readonly number[] };
    item: never;
  };
}
