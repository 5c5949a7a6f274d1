/** What the reward service and its engine process say to each other. */
import type { LoadMethod, OpenMethod } from '@crucible/serving';

export interface RewardEngineMethods {
  open: OpenMethod;
  load: LoadMethod;
  /** Scores whole sequences at their last tokens. */
  score: {
    args: { readonly name: string; readonly sequences: readonly (readonly number[])[] };
    result: { readonly version: number; readonly scores: readonly number[] };
    item: never;
  };
}
