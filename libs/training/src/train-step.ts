import { CrucibleError } from '@crucible/foundation';
import type { Optimizer, OptimizerState } from '@crucible/optim';
import {
  add,
  compile,
  flatten,
  gradient,
  isNdArray,
  isTensor,
  itemOf,
  mapTree,
  type NdArray,
  scalar,
  type Tensor,
  type TensorType,
  type TreeLike,
  zerosArray,
} from '@crucible/tensor';

type Symbols<T> = TreeLike<T, TensorType, Tensor>;

/** Arrays of one batch, by name. */
export type Batch = Readonly<Record<string, NdArray>>;

/**
 * A loss as a sum over rows, divided by a scalar that the batch brings along: so it can be worked out in parts, whose
 * losses, metrics and gradients add up to the whole's.
 */
export type LossFunction<P, B extends Batch, F extends object = object> = (
  parameters: Symbols<P>,
  batch: Symbols<B>,
  frozen: Symbols<F>,
) => { readonly loss: Tensor; readonly metrics?: Readonly<Record<string, Tensor>> };

export interface TrainStepOptions<F extends object = object> {
  /** Named in errors. */
  readonly name: string;
  readonly optimizer: Optimizer;
  /**
   * Arrays that the loss reads and that stay as they are: no gradient by them is worked out, and they are never copied.
   * Default: none.
   */
  readonly frozen?: F;
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
}

export interface StepResult {
  readonly loss: number;
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Parameters and optimizer state, and the compiled programs that advance them: forward, backward and optimizer in one.
 * A program is compiled for each shape of batch when it first comes.
 */
export class TrainStep<P extends object, B extends Batch, F extends object = object> {
  #carried: Carried;
  #steps: number;
  readonly #loss: LossFunction<object, Batch>;
  readonly #options: TrainStepOptions;
  readonly #frozen: object;
  readonly #whole = new Map<string, WholeProgram>();
  readonly #partial = new Map<string, PartProgram>();
  #applying: ApplyingProgram | undefined;

  /** `resumed`: optimizer state and number of steps to go on from. */
  constructor(
    parameters: P,
    loss: LossFunction<P, B, F>,
    options: TrainStepOptions<F>,
    resumed?: { readonly state: OptimizerState<NdArray>; readonly steps: number },
  ) {
    this.#carried = { parameters, state: resumed?.state ?? options.optimizer.init(parameters) };
    this.#steps = resumed?.steps ?? 0;
    this.#loss = loss as unknown as LossFunction<object, Batch>;
    this.#options = options;
    this.#frozen = options.frozen ?? {};
  }

  get parameters(): P {
    return this.#carried.parameters as P;
  }

  get state(): OptimizerState<NdArray> {
    return this.#carried.state;
  }

  /** Steps made, those before a resumption included. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * One optimizer step at learning rate `rate`, on a batch or on the parts of one, whose gradients are added up: less
   * memory for the same result. Throws, and changes nothing, when the loss is not a number.
   */
  async run(parts: B | readonly B[], rate: number): Promise<StepResult> {
    const scalars = { rate: scalar(rate), step: scalar(this.#steps + 1) };
    const updated = Array.isArray(parts)
      ? await this.#runInParts(parts as readonly B[], scalars)
      : await this.#runWhole(parts as B, scalars);
    const { loss, norm, metrics, ...carried } = updated;
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new CrucibleError(
        'failed-precondition',
        `${this.#options.name}: loss ${loss} and gradient norm ${norm} at step ${this.#steps + 1}; a lower learning rate may help`,
      );
    }
    this.#carried = carried;
    this.#steps++;
    return { loss, gradientNorm: norm, metrics };
  }

  async dispose(): Promise<void> {
    for (const program of [...this.#whole.values(), ...this.#partial.values()]) await program.dispose();
    await this.#applying?.dispose();
    this.#whole.clear();
    this.#partial.clear();
    this.#applying = undefined;
  }

  async #runWhole(batch: B, scalars: Scalars): Promise<Updated> {
    const key = shapeKey(batch);
    let program = this.#whole.get(key);
    if (!program)
      this.#whole.set(
        key,
        (program = await compileWhole(this.#carried, this.#frozen, batch, this.#loss, this.#options)),
      );
    const { loss, norm, metrics, ...carried } = await program.run({
      ...this.#carried,
      ...scalars,
      frozen: this.#frozen,
      batch,
    });
    return { ...carried, loss: itemOf(loss), norm: itemOf(norm), metrics: numbersOf(metrics) };
  }

  async #runInParts(parts: readonly B[], scalars: Scalars): Promise<Updated> {
    const { parameters } = this.#carried;
    let sums: object = mapTree(parameters, isNdArray, ({ shape }) => zerosArray('float32', shape)) as object;
    let loss = 0;
    const metrics: Record<string, number> = {};
    for (const part of parts) {
      const key = shapeKey(part);
      let program = this.#partial.get(key);
      if (!program)
        this.#partial.set(
          key,
          (program = await compilePart(parameters, this.#frozen, part, this.#loss, this.#options)),
        );
      const result = await program.run({ parameters, sums, frozen: this.#frozen, part });
      sums = result.sums;
      loss += itemOf(result.loss);
      for (const [name, value] of Object.entries(numbersOf(result.metrics)))
        metrics[name] = (metrics[name] ?? 0) + value;
    }
    this.#applying ??= await compileApplying(this.#carried, this.#options);
    const { norm, ...carried } = await this.#applying.run({ ...this.#carried, ...scalars, gradients: sums });
    return { ...carried, loss, norm: itemOf(norm), metrics };
  }
}

interface Carried {
  readonly parameters: object;
  readonly state: OptimizerState<NdArray>;
}

interface Scalars {
  readonly rate: NdArray;
  readonly step: NdArray;
}

interface Updated extends Carried {
  readonly loss: number;
  readonly norm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

type WholeProgram = Awaited<ReturnType<typeof compileWhole>>;
type PartProgram = Awaited<ReturnType<typeof compilePart>>;
type ApplyingProgram = Awaited<ReturnType<typeof compileApplying>>;

const scalarTypes: Readonly<Record<keyof Scalars, TensorType>> = {
  rate: { shape: [], dtype: 'float32' },
  step: { shape: [], dtype: 'float32' },
};

/** The whole step: forward, backward, optimizer. */
function compileWhole(
  carried: Carried,
  frozen: object,
  batch: Batch,
  lossOf: LossFunction<object, Batch>,
  options: TrainStepOptions,
) {
  return compile(
    { ...carried, ...scalarTypes, frozen, batch },
    ({ parameters, state, frozen: constants, batch: symbols, ...scalars }) => {
      const { loss, metrics = {} } = lossOf(parameters, symbols, constants);
      const updated = options.optimizer.update(parameters, gradient<object>(loss, parameters), state, scalars);
      return { loss, metrics: { ...metrics }, ...updated };
    },
    options,
  );
}

/** Adds one part's gradients to those so far. */
function compilePart(
  parameters: object,
  frozen: object,
  part: Batch,
  lossOf: LossFunction<object, Batch>,
  options: TrainStepOptions,
) {
  return compile(
    { parameters, sums: parameters, frozen, part },
    (inputs) => {
      const { loss, metrics = {} } = lossOf(inputs.parameters, inputs.part, inputs.frozen);
      const gradients = new Map(
        flatten(gradient(loss, inputs.parameters), isTensor).map(({ path, leaf }) => [path, leaf]),
      );
      const sums = mapTree(inputs.sums, isTensor, (sum, path) => add(sum, gradients.get(path)!)) as object;
      return { loss, metrics: { ...metrics }, sums };
    },
    options,
  );
}

/** Applies summed gradients. */
function compileApplying(carried: Carried, options: TrainStepOptions) {
  return compile(
    { ...carried, ...scalarTypes, gradients: carried.parameters },
    ({ parameters, state, gradients, ...scalars }) => options.optimizer.update(parameters, gradients, state, scalars),
    options,
  );
}

function shapeKey(batch: Batch): string {
  return Object.values(batch)
    .map(({ shape }) => shape.join('x'))
    .join(' ');
}

function numbersOf(metrics: Readonly<Record<string, NdArray>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, itemOf(value)]));
}
