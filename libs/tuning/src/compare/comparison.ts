/** What a comparison of ways to tune is made of: models, tasks, cells to measure, and what was measured. */
import type { LabelledTask } from '@crucible/data';
import type { ClassificationFigures, Share } from '../metrics.ts';
import type { TaskFiles } from '../task.ts';
import type { MethodName } from '../tune.ts';
import type { LabelWords } from '../verbalizer.ts';

/** `encoder`: a masked language model; `decoder`: a language model as it was pre-trained; `instructed`: one that was then tuned on instructions. */
export type ModelRole = 'encoder' | 'decoder' | 'instructed';

/** A model to compare the methods on. */
export interface ComparedModel {
  readonly role: ModelRole;
  /** As the report calls it. */
  readonly name: string;
  readonly folder: string;
  /** Of its weights: results of other weights are not taken for its own. */
  readonly sha256: string;
  /** Whether it was trained elsewhere: then learning rates are small. */
  readonly isImported: boolean;
}

/** A task, from files or of the built-in world. */
export interface ComparedTask {
  readonly name: string;
  readonly source: { readonly world: LabelledTask } | { readonly files: TaskFiles };
  /** Default: the names of the labels. */
  readonly words?: LabelWords;
  /** By the role of the model that is asked. Default: `defaultTemplates`. */
  readonly templates?: Readonly<Partial<Record<ModelRole, string>>>;
}

/** A model that was tuned on instructions is asked as these ask. */
export const defaultTemplates: Readonly<Record<Exclude<ModelRole, 'instructed'>, string>> = {
  encoder: '{text} It was {mask}.',
  decoder: '{text} It was {mask}',
};

/** Examples of each label to learn from; `all`: the whole training part. 0: none. */
export type Shots = number | 'all';

export interface ComparisonSettings {
  readonly methods: readonly MethodName[];
  readonly shots: readonly Shots[];
  /** Seeds of what is drawn and of what is random. */
  readonly seeds: readonly number[];
  /** Steps of every method that learns from few examples: the budget is the same for all. */
  readonly steps: number;
  /** Steps of every method that learns from all of the data. */
  readonly allSteps: number;
  /** Examples of a step; no more than there are. */
  readonly rows: number;
  /** Factors of a method's usual learning rate that are tried, on dev and a draw of its own, before it is measured. */
  readonly rates: readonly number[];
  /** Texts that are measured on at most, of a task. */
  readonly testTexts: number;
  /** Threads within an operator; 0: one a core. */
  readonly threads: number;
}

/** All that the cells depend on. */
export interface Comparison {
  readonly task: ComparedTask;
  /** Tasks that nothing is tuned on: what tuning on the first does to them. */
  readonly transfer: readonly ComparedTask[];
  /**
   * The first of a role is the one that all methods are compared on; others show what size does. One that was tuned on
   * instructions was made of the decoder at the same place among those of its kind.
   */
  readonly models: readonly ComparedModel[];
  /** Text that the models were pre-trained on, whose held-out ends show what they have forgotten. Default: the built-in world's. */
  readonly corpus?: readonly string[];
  readonly settings: ComparisonSettings;
}

/** What a cell belongs to. `rate`: looks for a learning rate. */
export type CellPart = 'rate' | 'curve' | 'size' | 'parameters' | 'cross';

/** One training and its measurement. */
export interface Cell {
  readonly part: CellPart;
  /** The name of a model. */
  readonly model: string;
  readonly method: MethodName;
  readonly shots: Shots;
  readonly seed: number;
  /** Factor of the usual learning rate. */
  readonly rate: number;
  /** Whose template is asked with. Default: that of the model's role. */
  readonly asked?: ModelRole;
  /** Virtual tokens, or the rank; default: the method's. */
  readonly size?: number;
}

/** How well the other tasks are done after tuning on the first. */
export interface TransferResult {
  readonly task: string;
  /** `trained`: by what was tuned itself, since the labels are the same; `words`: by label words of their own. */
  readonly by: 'trained' | 'words';
  readonly accuracy: Share;
  readonly right: string;
}

export interface CellResult {
  readonly cell: Cell;
  readonly model: ComparedModel['role'];
  readonly figures: ClassificationFigures;
  /** For each text that was measured on, `1` where the likeliest label was right. */
  readonly right: string;
  readonly learningRate: number;
  readonly steps: number;
  readonly trainedParameters: number;
  readonly allParameters: number;
  /** Of training, and of all of the cell. */
  readonly trainSeconds: number;
  readonly seconds: number;
  /** The largest amount of memory that the process had until the cell was done. */
  readonly memoryBytes?: number;
  /** Nats a token of held-out text of the pre-training, afterwards. */
  readonly baseLoss?: number;
  readonly transfer?: readonly TransferResult[];
}
