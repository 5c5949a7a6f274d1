/** What the policy service and its engine process say to each other. */
import type { Choice, FinishReason, Sampling } from '@crucible/inference';
import type { LoadMethod, OpenMethod } from '@crucible/serving';
import type { TemplateInput } from '@crucible/tuning';

export interface PolicyEngineMethods {
  open: OpenMethod;
  load: LoadMethod;
  /** Lets go of an adapter, by its whole name; answers that it writes go on. */
  unload: { args: { readonly name: string }; result: null; item: never };
  generate: {
    args: {
      /** `MODEL` or `MODEL:ADAPTER`, as for `score`. */
      readonly name: string;
      readonly prompt: readonly number[];
      readonly maxTokens: number | undefined;
      readonly sampling: Sampling;
      readonly stopTokens: readonly number[];
      readonly alternatives: number;
    };
    result: { readonly finish: FinishReason };
    item:
      | { readonly kind: 'started'; readonly version: number }
      | { readonly kind: 'tokens'; readonly tokens: readonly TokenChoice[] };
  };
  score: {
    args: {
      readonly name: string;
      readonly sequences: readonly { readonly prompt: readonly number[]; readonly completion: readonly number[] }[];
      readonly temperature: number;
      readonly alternatives: number;
    };
    result: { readonly version: number; readonly scores: readonly SequenceScore[] };
    item: never;
  };
  /** Probabilities of the labels of each text, in the labels' order. */
  classify: {
    args: { readonly name: string; readonly inputs: readonly TemplateInput[] };
    result: { readonly version: number; readonly probabilities: readonly (readonly number[])[] };
    item: never;
  };
}

export interface TokenChoice extends Choice {
  readonly alternatives: readonly Choice[];
}

export interface SequenceScore {
  readonly logProbabilities: readonly number[];
  /** Empty unless asked for. */
  readonly alternatives: readonly (readonly Choice[])[];
}
