/** What every way of adapting a model to a task has in common, so that they can be compared side by side. */
import type { SavedAdapter } from '@crucible/checkpoint';
import type { ModelWeights } from '@crucible/nn';
import { mostProbable } from './metrics.ts';
import type { LabelledText, TaskData } from './task.ts';
import type { TemplateInput } from './template.ts';

export interface TuneProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Accuracy on dev, where it has been measured. */
  readonly dev?: number;
}

export interface TuneSettings {
  readonly seed: number;
  /** Steps of the optimizer; 0 leaves the model as it is. */
  readonly steps: number;
  /** Examples of a step. */
  readonly rows: number;
  readonly learningRate: number;
  readonly warmupShare: number;
  readonly weightDecay: number;
  /** How often dev is measured on the way; the best of what was measured is kept. 0: the last is. */
  readonly evaluations: number;
  /** Threads within an operator; 0: one a core. */
  readonly threads: number;
  /** Of encoders: share of an example's tokens that are hidden behind [MASK], others at each step. Default: 0. */
  readonly hiddenShare?: number;
}

export interface TuneContext {
  readonly signal?: AbortSignal;
  readonly report?: (progress: TuneProgress) => void;
}

export interface ChangedModel {
  readonly weights: ModelWeights;
  readonly adapter?: SavedAdapter;
}

/** A model that tells labels apart. */
export interface TunedModel {
  /** Probabilities of the labels for each input, each adding up to one. */
  readonly predict: (inputs: readonly TemplateInput[]) => Promise<number[][]>;
  /** Numbers that were learned, and all that the model has. */
  readonly trainedParameters: number;
  readonly allParameters: number;
  /**
   * What has become of the model that it was made from: its weights, with the head that they were pre-trained with, and
   * the adapter beside them. Undefined where nothing of it has changed.
   */
  readonly changed?: () => ChangedModel;
  /** Writes what was made into an existing folder: a model, or an adapter. */
  readonly save: (folder: string) => void;
  readonly dispose: () => Promise<void>;
}

/** A way of adapting a model to a task. */
export interface Method {
  readonly name: string;
  readonly train: (
    data: Pick<TaskData, 'labels' | 'train' | 'dev'>,
    settings: TuneSettings,
    context?: TuneContext,
  ) => Promise<TunedModel>;
}

/** Share of examples whose likeliest label is right. */
export function accuracyOf(
  probabilities: readonly (readonly number[])[],
  examples: readonly Pick<LabelledText, 'label'>[],
): number {
  const hits = probabilities.filter((row, i) => mostProbable(row) === examples[i]!.label);
  return hits.length / examples.length;
}
