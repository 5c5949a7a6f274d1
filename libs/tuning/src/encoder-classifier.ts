/**
 * An encoder whose result for a prompt are scores of labels, whatever they are made of: trained with cross-entropy over the
 * labels, and asked for probabilities.
 */
import { CrucibleError, Random, throwIfCancelled } from '@crucible/foundation';
import { countParameters, warmupDecay } from '@crucible/optim';
import type { EncoderConfig, ModelWeights, ParameterTree } from '@crucible/nn';
import {
  compile,
  type CompiledProgram,
  floats,
  ints,
  type NdArray,
  type Tensor,
  type TensorType,
} from '@crucible/tensor';
import type { Tokenizer } from '@crucible/tokenizer';
import { encoderOptimizer, EpochOrder, predictionLoss, TrainStep } from '@crucible/training';
import type { TuneContext, TuneSettings } from './method.ts';
import { accuracyOf } from './method.ts';
import { softmaxOf } from './verbalizer.ts';

/** A prompt as tokens, and the place that is read. */
export interface EncoderPrompt {
  readonly ids: readonly number[];
  readonly types?: readonly number[];
  /** Index of the token that is read. */
  readonly at: number;
}

export interface LabelledPrompt extends EncoderPrompt {
  readonly label: number;
}

export interface EncoderInputs<Leaf> {
  /** int32 [rows, time]. */
  readonly ids: Leaf;
  readonly mask: Leaf;
  readonly types: Leaf;
  /** Index, over all rows, of the token that is read in each: int32 [rows]. */
  readonly at: Leaf;
}

/** What is learned, what stays as it is, and how scores [rows, labels] come of both. */
export interface EncoderTask {
  readonly config: EncoderConfig;
  readonly learned: ModelWeights;
  readonly frozen: ModelWeights;
  readonly scores: (
    learned: ParameterTree<Tensor>,
    frozen: ParameterTree<Tensor>,
    inputs: EncoderInputs<Tensor>,
  ) => Tensor;
}

interface Signature extends EncoderInputs<TensorType> {
  readonly learned: ModelWeights;
  readonly frozen: ModelWeights;
}

interface Batch extends EncoderInputs<NdArray> {
  readonly [name: string]: NdArray;
  readonly targets: NdArray;
  readonly weights: NdArray;
}

const predictedRows = 32;

/** Words are hidden as in pre-training; virtual tokens, which have no place in the vocabulary, are not. */
export function hidingOf(tokenizer: Tokenizer): Hiding | undefined {
  const { maskId: mask, vocabSize } = tokenizer;
  return mask === undefined ? undefined : { mask, isHidable: (id) => id < vocabSize && !tokenizer.isSpecial(id) };
}

/** What may be hidden of an example while it is learned from. */
export interface Hiding {
  /** The token that stands in its place. */
  readonly mask: number;
  readonly isHidable: (id: number) => boolean;
}

export class EncoderClassifier {
  readonly #task: EncoderTask;
  readonly #threads: number;
  #learned: ModelWeights;
  readonly #programs = new Map<number, CompiledProgram<Signature, { readonly scores: Tensor }>>();

  constructor(task: EncoderTask, threads = 0) {
    this.#task = task;
    this.#learned = task.learned;
    this.#threads = threads;
  }

  get learned(): ModelWeights {
    return this.#learned;
  }

  get trainedParameters(): number {
    return countParameters(this.#learned);
  }

  get allParameters(): number {
    return this.trainedParameters + countParameters(this.#task.frozen);
  }

  /** Learns from examples in random order, again and again; keeps what did best on `dev`. */
  async train(
    examples: readonly LabelledPrompt[],
    dev: readonly LabelledPrompt[],
    settings: TuneSettings,
    { signal, report }: TuneContext = {},
    hiding?: Hiding,
  ): Promise<void> {
    const { steps, rows, seed, evaluations, weightDecay, hiddenShare = 0 } = settings;
    if (steps === 0) return;
    const schedule = warmupDecay({ steps, warmup: Math.round(settings.warmupShare * steps), shape: 'linear' });
    const { scores } = this.#task;
    const training = new TrainStep<ModelWeights, Batch, ModelWeights>(
      this.#learned,
      (learned, batch, frozen) => {
        const given = { ids: batch.ids, mask: batch.mask, types: batch.types, at: batch.at };
        const { loss, accuracy } = predictionLoss(scores(learned, frozen, given), batch.targets, batch.weights);
        return { loss, metrics: { accuracy } };
      },
      {
        name: 'tuning',
        optimizer: encoderOptimizer({ parameters: [], optimizer: 'adamw', clipNorm: 1, weightDecay }),
        frozen: this.#task.frozen,
        ...this.#options,
      },
    );
    const every = evaluations === 0 ? Infinity : Math.max(1, Math.ceil(steps / evaluations));
    let best: { readonly dev: number; readonly learned: ModelWeights } | undefined;
    let smoothed: number | undefined;
    const order = new EpochOrder(examples, Random.seeded(seed));
    try {
      for (let step = 0; step < steps; step++) {
        throwIfCancelled(signal, 'tuning');
        const random = Random.seeded(seed).fork(`hidden ${step}`);
        const batch = this.#batch(
          order
            .batch(step, rows)
            .map((prompt) => (hiding && hiddenShare > 0 ? partlyHidden(prompt, hiding, hiddenShare, random) : prompt)),
        );
        const { loss } = await training.run(batch, settings.learningRate * schedule(step));
        smoothed = smoothed === undefined ? loss : 0.9 * smoothed + 0.1 * loss;
        this.#learned = training.parameters;
        let measured: number | undefined;
        if (dev.length > 0 && ((step + 1) % every === 0 || step + 1 === steps) && evaluations > 0) {
          measured = accuracyOf(await this.probabilities(dev), dev);
          // Of equals the later: it has seen more.
          if (!best || measured >= best.dev) best = { dev: measured, learned: (await training.onHost()).parameters };
        }
        report?.({ step: step + 1, steps, loss: smoothed, ...(measured !== undefined && { dev: measured }) });
      }
      this.#learned = best?.learned ?? training.parameters;
    } finally {
      await training.dispose();
    }
  }

  /** Probabilities of the labels. */
  async probabilities(prompts: readonly EncoderPrompt[]): Promise<number[][]> {
    return (await this.scores(prompts)).map(softmaxOf);
  }

  async scores(prompts: readonly EncoderPrompt[]): Promise<number[][]> {
    const result = new Array<number[]>(prompts.length);
    const order = prompts.map((_, i) => i).sort((a, b) => prompts[a]!.ids.length - prompts[b]!.ids.length);
    for (let start = 0; start < order.length; start += predictedRows) {
      const chosen = order.slice(start, start + predictedRows);
      const { ids, mask, types, at } = this.#batch(
        padded(
          chosen.map((i) => ({ ...prompts[i]!, label: 0 })),
          predictedRows,
        ),
      );
      const program = await this.#program(ids.shape[1]!);
      const { scores } = await program.run({ learned: this.#learned, frozen: this.#task.frozen, ids, mask, types, at });
      const width = scores.shape[1]!;
      chosen.forEach((i, row) => {
        result[i] = Array.from((scores.data as Float32Array).subarray(row * width, (row + 1) * width));
      });
    }
    return result;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await program.dispose();
    this.#programs.clear();
  }

  get #options(): { readonly threads?: number } {
    return this.#threads === 0 ? {} : { threads: this.#threads };
  }

  async #program(time: number) {
    let program = this.#programs.get(time);
    if (!program) {
      const grid: TensorType = { shape: [predictedRows, time], dtype: 'int32' };
      program = await compile<Signature, { scores: Tensor }>(
        {
          learned: this.#learned,
          frozen: this.#task.frozen,
          ids: grid,
          mask: grid,
          types: grid,
          at: { shape: [predictedRows], dtype: 'int32' },
        },
        ({ learned, frozen, ...inputs }) => ({ scores: this.#task.scores(learned, frozen, inputs) }),
        { name: 'label scores', ...this.#options },
      );
      this.#programs.set(time, program);
    }
    return program;
  }

  #batch(prompts: readonly (LabelledPrompt | undefined)[]): Batch {
    return EncoderClassifier.batchOf(this.#task.config, prompts);
  }

  /** Prompts side by side; the time is a multiple of 32, so that few shapes need compiling. */
  static batchOf(config: EncoderConfig, prompts: readonly (LabelledPrompt | undefined)[]): Batch {
    const longest = Math.max(1, ...prompts.map((prompt) => prompt?.ids.length ?? 0));
    if (longest > config.maxPositions) {
      throw new CrucibleError(
        'invalid-input',
        `a prompt has ${longest} tokens; the context holds ${config.maxPositions}`,
      );
    }
    const rows = prompts.length;
    const time = Math.min(config.maxPositions, 32 * Math.ceil(longest / 32));
    const ids = new Int32Array(rows * time).fill('padId' in config ? config.padId : 0);
    const [mask, types] = [new Int32Array(rows * time), new Int32Array(rows * time)];
    const [at, targets] = [new Int32Array(rows), new Int32Array(rows)];
    const weights = new Float32Array(rows);
    const real = prompts.filter((prompt) => prompt !== undefined).length;
    prompts.forEach((prompt, row) => {
      at[row] = row * time;
      // A row of padding alone reads its first place, so that attention has something to look at.
      mask.fill(1, row * time, row * time + (prompt?.ids.length ?? 1));
      if (!prompt) return;
      ids.set(prompt.ids, row * time);
      types.set(prompt.types ?? [], row * time);
      at[row] = row * time + prompt.at;
      targets[row] = prompt.label;
      weights[row] = 1 / real;
    });
    return {
      ids: ints([rows, time], ids),
      mask: ints([rows, time], mask),
      types: ints([rows, time], types),
      at: ints([rows], at),
      targets: ints([rows], targets),
      weights: floats([rows], weights),
    };
  }
}

/** The place that is read stays as it is. */
function partlyHidden(
  prompt: LabelledPrompt,
  { mask, isHidable }: Hiding,
  share: number,
  random: Random,
): LabelledPrompt {
  const ids = prompt.ids.map((id, i) => (i !== prompt.at && isHidable(id) && random.uniform() < share ? mask : id));
  return { ...prompt, ids };
}

function padded(prompts: readonly LabelledPrompt[], rows: number): (LabelledPrompt | undefined)[] {
  return [...prompts, ...new Array<undefined>(rows - prompts.length).fill(undefined)];
}
