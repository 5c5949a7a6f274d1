/**
 * Soft prompts of several tasks in one batch (Lester et al. 2021): the decoder is the same and frozen, and each row begins with
 * the virtual tokens of its own task. They are learned side by side, each from the rows of its task, clipped and moved by
 * itself: what comes out is what training them one after the other gives.
 */
import type { SavedAdapter } from '@crucible/checkpoint';
import { invalidInput, Random, throwIfCancelled } from '@crucible/foundation';
import { blockHeight, countBucket, packSequences, rowTime } from '@crucible/inference';
import {
  decode,
  hiddenRows,
  type KeysAndValues,
  languageLogProbability,
  type ModelWeights,
  type ParameterTree,
  virtualPrefix,
} from '@crucible/nn';
import { partedOptimizer, warmupDecay } from '@crucible/optim';
import {
  compile,
  type CompiledProgram,
  concat,
  floats,
  gather,
  ints,
  type NdArray,
  type Tensor,
  type TensorType,
} from '@crucible/tensor';
import { adapterDefaults, adapterOptimizer, EpochOrder, newAdapter, TrainStep } from '@crucible/training';
import type { TuneContext, TunedModel, TuneSettings } from '../method.ts';
import type { TaskData } from '../task.ts';
import type { TemplateInput } from '../template.ts';
import { type CausalModel, type CausalPrompt, CausalReader } from './causal-reader.ts';
import { type ChoiceBatch, choiceBatch, choiceLoss, choiceTime, excludedWord } from './label-choice.ts';

export interface MixedTask extends CausalPrompt {
  readonly data: Pick<TaskData, 'name' | 'labels' | 'train'>;
}

export interface MixedInput {
  /** Index among the tasks. */
  readonly task: number;
  readonly input: TemplateInput;
}

export interface MixedPrompts {
  /** Probabilities of each input's labels, those of its own task. */
  readonly predict: (inputs: readonly MixedInput[]) => Promise<number[][]>;
  /** A task's prompt by itself, as `soft-prompt` makes it. */
  readonly tuned: readonly TunedModel[];
  readonly dispose: () => Promise<void>;
}

/** Learns a soft prompt of `tokens` virtual tokens for each task. `rows` of the settings are those of each task. */
export async function trainMixedPrompts(
  model: CausalModel,
  tasks: readonly MixedTask[],
  tokens: number,
  settings: TuneSettings,
  { signal, report }: TuneContext = {},
): Promise<MixedPrompts> {
  if (tasks.length === 0) throw invalidInput('tasks: there is none', { at: 'tasks' });
  const { weights, config, tokenizer } = model;
  const { seed, steps, rows, weightDecay } = settings;
  const pad = tokenizer.padId ?? 0;
  const adapters: SavedAdapter[] = [];
  const sources: ((step: number) => ChoiceBatch)[] = [];
  const readers: CausalReader[] = [];
  for (const task of tasks) {
    const adapter = await newAdapter(
      { ...adapterDefaults, kind: 'prompt', tokens },
      { base: weights, config, head: { kind: 'language' }, seed, encode: (text) => tokenizer.encode(text) },
    );
    const reader = new CausalReader(model, task, task.data.labels, tokens);
    const examples = task.data.train.map((example) => reader.labelled(example));
    const { choice } = reader;
    const time = choiceTime(examples, choice);
    adapters.push(adapter!);
    readers.push(reader);
    const order = new EpochOrder(examples, Random.seeded(seed));
    sources.push((step) => choiceBatch(order.batch(step, rows), { ...choice, time }));
  }
  // By names that sort as the tasks do.
  const parts = Object.fromEntries(adapters.map(({ parameters }, i) => [nameOf(i), parameters]));
  const schedule = warmupDecay({
    steps,
    warmup: Math.max(1, Math.round(settings.warmupShare * steps)),
    decayShare: 1,
    shape: 'linear',
  });
  const training = new TrainStep<ModelWeights, MixedBatch, ModelWeights>(
    parts,
    (learned, batch, frozen) => {
      return { loss: choiceLoss(frozen, config, batch, prefixes(frozen, config, learned, tokens, batch.tasks)) };
    },
    {
      name: 'prompts of several tasks',
      optimizer: partedOptimizer(adapterOptimizer({ clipNorm: 1, weightDecay })),
      frozen: weights,
    },
  );
  let learned: ModelWeights = parts;
  try {
    for (let step = 0; step < steps; step++) {
      throwIfCancelled(signal, 'tuning');
      const own = sources.map((batchOf) => batchOf(step));
      const { loss } = await training.run(sideBySide(own, pad), settings.learningRate * schedule(step));
      report?.({ step: step + 1, steps, loss: loss / tasks.length });
    }
    learned = (await training.onHost()).parameters;
  } finally {
    await training.dispose();
  }
  const kept = adapters.map(({ config: own }, i): SavedAdapter => {
    return { config: own, parameters: learned[nameOf(i)] as ModelWeights };
  });
  const predictor = new MixedPredictor(model, learned, tokens, readers);
  const tuned = readers.map((reader, i) => reader.tuned(weights, kept[i]));
  return {
    predict: (inputs) => predictor.predict(inputs),
    tuned,
    dispose: async () => {
      await predictor.dispose();
      for (const one of tuned) await one.dispose();
    },
  };
}

interface MixedBatch extends ChoiceBatch {
  /** The task of each row, int32 [rows]. */
  readonly tasks: NdArray;
}

function nameOf(task: number): string {
  return `task${task}`;
}

/**
 * Batches of several tasks below each other; rows are made as long as the longest, and examples get places for as many words of as
 * many tokens as any has. Each keeps its mean: losses add up.
 */
function sideBySide(batches: readonly ChoiceBatch[], pad: number): MixedBatch {
  const shapes = batches.map(({ ids }) => ids.shape as [number, number]);
  const rows = shapes.reduce((sum, [own]) => sum + own, 0);
  const time = Math.max(...shapes.map(([, own]) => own));
  const grids = emptyGrids(rows, time, pad);
  const tasks = new Int32Array(rows);
  const choices = batches.map(({ at }) => at.shape as [number, number, number]);
  const examples = choices.reduce((sum, [own]) => sum + own, 0);
  const [words, tokens] = ([1, 2] as const).map((axis) => Math.max(...choices.map((shape) => shape[axis]))) as [
    number,
    number,
  ];
  const places = [examples, words, tokens];
  const at = new Int32Array(examples * words * tokens);
  const targets = new Int32Array(at.length);
  const counted = new Float32Array(at.length);
  const any = new Float32Array(examples * words).fill(excludedWord);
  const own = any.slice();
  const weights: number[] = [];
  let [firstRow, firstExample] = [0, 0];
  batches.forEach((batch, task) => {
    const [ownRows, ownTime] = shapes[task]!;
    for (const [name, target] of Object.entries(grids)) {
      const { data } = batch[name]!;
      for (let row = 0; row < ownRows; row++)
        target.data.set(data.subarray(row * ownTime, (row + 1) * ownTime), (firstRow + row) * time);
    }
    tasks.fill(task, firstRow, firstRow + ownRows);
    const [ownExamples, ownWords, ownTokens] = choices[task]!;
    for (let i = 0; i < ownExamples * ownWords; i++) {
      const word = (firstExample + Math.floor(i / ownWords)) * words + (i % ownWords);
      any[word] = batch.any.data[i]!;
      own[word] = batch.own.data[i]!;
      for (let n = 0; n < ownTokens; n++) {
        const [from, to] = [i * ownTokens + n, word * tokens + n];
        const place = batch.at.data[from]!;
        at[to] = (firstRow + Math.floor(place / ownTime)) * time + (place % ownTime);
        targets[to] = batch.targets.data[from]!;
        counted[to] = batch.counted.data[from]!;
      }
    }
    weights.push(...batch.weights.data);
    firstRow += ownRows;
    firstExample += ownExamples;
  });
  return {
    ...grids,
    tasks: ints([rows], tasks),
    at: ints(places, at),
    targets: ints(places, targets),
    counted: floats(places, counted),
    any: floats([examples, words], any),
    own: floats([examples, words], own),
    weights: floats([examples], Float32Array.from(weights)),
  };
}

function emptyGrids(rows: number, time: number, pad: number) {
  return {
    ids: grid(rows, time, pad),
    positions: grid(rows, time),
    segments: grid(rows, time),
    branches: grid(rows, time),
  };
}

function grid(rows: number, time: number, fill = 0) {
  return ints([rows, time], new Int32Array(rows * time).fill(fill));
}

/** Keys and values that each row begins with: [rows, keyValueHeads, n, headSize] a layer. */
function prefixes(
  weights: ParameterTree<Tensor>,
  config: CausalModel['config'],
  learned: ParameterTree<Tensor>,
  tokens: number,
  tasks: Tensor,
): KeysAndValues {
  const each = Object.values(learned).map((own) =>
    virtualPrefix(weights, config, own as ParameterTree<Tensor>, { kind: 'prompt', tokens }),
  );
  const chosen = (part: 'keys' | 'values', layer: number): Tensor =>
    gather(
      concat(
        each.map((prefix) => prefix[part][layer]!),
        0,
      ),
      tasks,
      { axis: 0 },
    );
  const layers = Array.from({ length: config.layers }, (_, i) => i);
  return { keys: layers.map((i) => chosen('keys', i)), values: layers.map((i) => chosen('values', i)) };
}

interface Signature {
  readonly weights: ModelWeights;
  readonly learned: ModelWeights;
  readonly ids: TensorType;
  readonly positions: TensorType;
  readonly segments: TensorType;
  readonly branches: TensorType;
  readonly tasks: TensorType;
  readonly at: TensorType;
  readonly targets: TensorType;
}

const inputsAtOnce = 64;

/** Log-probabilities of label words in rows that begin with prompts of different tasks. */
class MixedPredictor {
  readonly #model: CausalModel;
  readonly #learned: ModelWeights;
  readonly #tokens: number;
  readonly #readers: readonly CausalReader[];
  readonly #programs = new Map<string, CompiledProgram<Signature, { readonly values: Tensor }>>();

  constructor(model: CausalModel, learned: ModelWeights, tokens: number, readers: readonly CausalReader[]) {
    this.#model = model;
    this.#learned = learned;
    this.#tokens = tokens;
    this.#readers = readers;
  }

  async predict(inputs: readonly MixedInput[]): Promise<number[][]> {
    const wrong = inputs.find(({ task }) => !this.#readers[task]);
    if (wrong)
      throw invalidInput(`task ${wrong.task} does not exist; there are ${this.#readers.length}`, { at: 'task' });
    const result: number[][] = [];
    for (let start = 0; start < inputs.length; start += inputsAtOnce)
      result.push(...(await this.#predictPart(inputs.slice(start, start + inputsAtOnce))));
    return result;
  }

  /** What shares a row is of one task; rows of all tasks share a batch. */
  async #predictPart(inputs: readonly MixedInput[]): Promise<number[][]> {
    const { config, tokenizer } = this.#model;
    const pad = tokenizer.padId ?? 0;
    const asked = inputs.flatMap(({ task, input }, index) => {
      const reader = this.#readers[task]!;
      const prompt = reader.prompt(input);
      return reader.continuations.map((continuation) => ({
        task,
        index,
        continuation,
        ids: [...prompt, ...continuation],
      }));
    });
    const time = rowTime(Math.max(...asked.map(({ ids }) => ids.length)), config.maxPositions - this.#tokens);
    const byTask = [...Map.groupBy(asked, ({ task }) => task)].sort(([a], [b]) => a - b);
    const packings = byTask.map(([task, own]) => {
      const options = { time, pad, rowMultiple: blockHeight(time) };
      return {
        task,
        own,
        ...packSequences(
          own.map(({ ids }) => ids),
          options,
        ),
      };
    });
    const rows = packings.reduce((sum, { packed }) => sum + packed.ids.shape[0]!, 0);
    const grids = emptyGrids(rows, time, pad);
    const tasks = new Int32Array(rows);
    const at: number[] = [];
    const targets: number[] = [];
    let first = 0;
    for (const { task, own, packed, places } of packings) {
      const count = packed.ids.shape[0]!;
      for (const [name, target] of Object.entries(grids))
        target.data.set(packed[name as keyof typeof packed].data, first * time);
      tasks.fill(task, first, first + count);
      own.forEach(({ ids, continuation }, i) => {
        for (let n = ids.length - continuation.length; n < ids.length; n++) {
          at.push(first * time + places[i]![n - 1]!);
          targets.push(ids[n]!);
        }
      });
      first += count;
    }
    const count = countBucket(at.length);
    const program = await this.#program(rows, time, count);
    const { values } = await program.run({
      weights: this.#model.weights,
      learned: this.#learned,
      ...grids,
      tasks: ints([rows], tasks),
      at: ints([count], filled(at, count)),
      targets: ints([count], filled(targets, count)),
    });
    const logs = inputs.map((): number[] => []);
    let next = 0;
    for (const { own } of packings) {
      for (const { index, continuation } of own) {
        const summands = Array.from(values.data.subarray(next, (next += continuation.length)));
        logs[index]!.push(summands.reduce((sum, value) => sum + value, 0));
      }
    }
    return logs.map((own, i) => this.#readers[inputs[i]!.task]!.shares(own));
  }

  async #program(rows: number, time: number, count: number) {
    const key = `${rows}x${time}x${count}`;
    let program = this.#programs.get(key);
    if (!program) {
      const { weights, config } = this.#model;
      const type: TensorType = { shape: [rows, time], dtype: 'int32' };
      const places: TensorType = { shape: [count], dtype: 'int32' };
      program = await compile<Signature, { values: Tensor }>(
        {
          ...{ weights, learned: this.#learned, ids: type, positions: type, segments: type, branches: type },
          ...{ tasks: { shape: [rows], dtype: 'int32' }, at: places, targets: places },
        },
        ({ weights: model, learned, ...given }) => {
          const prefix = prefixes(model, config, learned, this.#tokens, given.tasks);
          const { hidden } = decode(model, config, { ...given, prefix });
          return { values: languageLogProbability(model, config, hiddenRows(hidden, given.at), given.targets) };
        },
        { name: 'prompts of several tasks' },
      );
      this.#programs.set(key, program);
    }
    return program;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await program.dispose();
    this.#programs.clear();
  }
}

function filled(values: readonly number[], length: number): Int32Array {
  const result = new Int32Array(length);
  result.set(values);
  return result;
}
