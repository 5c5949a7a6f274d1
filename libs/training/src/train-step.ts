import { CrucibleError } from '@crucible/foundation';
import type { Optimizer, OptimizerState } from '@crucible/optim';
import {
  add,
  type AnyArray,
  chooseDevice,
  compile,
  type CompileOptions,
  type Device,
  type DeviceChoice,
  disposeArrays,
  flatten,
  gradient,
  isAnyArray,
  isNdArray,
  isTensor,
  itemOf,
  mapTree,
  type NdArray,
  PlacedTree,
  type Precision,
  scalar,
  type Tensor,
  type TensorType,
  type TreeLike,
  treeToDevice,
  treeToHost,
  zerosArray,
} from '@crucible/tensor';
import {
  initialScaling,
  type LossScaling,
  nextScaling,
  scaled,
  type Scaling,
  smallestScale,
  unscaled,
} from './loss-scaling.ts';
import { assertStepFits, type StepMemory, stepMemory } from './step-memory.ts';

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
  /** Where the steps run, and where parameters and optimizer state are between them. Default: `cpu`. */
  readonly device?: DeviceChoice;
  /**
   * What matrix products are worked out in; parameters and moments are float32 in any case. With `float16` the loss is
   * scaled (see `LossScaling`). Default: `float32`.
   */
  readonly precision?: Precision;
  readonly lossScaling?: LossScaling;
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
  /** With `float16`: what the loss of the next step is multiplied by. */
  readonly lossScale?: number;
}

/**
 * Parameters and optimizer state, and the compiled programs that advance them: forward, backward and optimizer in one.
 * A program is compiled for each shape of batch when it first comes. On a device with memory of its own all of it stays
 * there between steps; `onHost` brings it back.
 */
export class TrainStep<P extends object, B extends Batch, F extends object = object> {
  #carried: Carried;
  #steps: number;
  readonly #loss: LossFunction<object, Batch>;
  readonly #options: TrainStepOptions;
  readonly #frozen: object;
  readonly #placedFrozen = new PlacedTree();
  readonly #whole = new Map<string, WholeProgram>();
  readonly #partial = new Map<string, PartProgram>();
  #applying: ApplyingProgram | undefined;
  #memory: StepMemory | undefined;

  /** `resumed`: optimizer state and number of steps to go on from. */
  constructor(parameters: P, loss: LossFunction<P, B, F>, options: TrainStepOptions<F>, resumed?: Resumed) {
    const { optimizer, precision, lossScaling } = options;
    this.#carried = {
      parameters,
      state: resumed?.state ?? optimizer.init(parameters),
      scaling: precision === 'float16' ? initialScaling(lossScaling, resumed?.lossScale) : {},
    };
    this.#steps = resumed?.steps ?? 0;
    this.#loss = loss as unknown as LossFunction<object, Batch>;
    this.#options = options;
    this.#frozen = options.frozen ?? {};
  }

  /** Where they are: arrays on the host or on the device, which are disposed of when the next step has been made. */
  get current(): { readonly parameters: TreeLike<P, NdArray, AnyArray>; readonly state: OptimizerState<AnyArray> } {
    const { parameters, state } = this.#carried;
    return { parameters: parameters as TreeLike<P, NdArray, AnyArray>, state };
  }

  /** Copies on the host, for checkpoints and other programs; the arrays themselves where they are there already. */
  async onHost(): Promise<OnHost<P>> {
    const { parameters, state, scaling } = await treeToHost(this.#carried);
    return {
      parameters: parameters as P,
      state: state,
      ...('scale' in scaling && { lossScale: itemOf(scaling.scale) }),
    };
  }

  /** The parameters, on a device that has no memory of its own. */
  get parameters(): P {
    return this.#hostTree(this.#carried.parameters) as P;
  }

  /** The optimizer state, on a device that has no memory of its own. */
  get state(): OptimizerState<NdArray> {
    return this.#hostTree(this.#carried.state) as OptimizerState<NdArray>;
  }

  #hostTree(tree: object): object {
    if (flatten(tree, isAnyArray).some(({ leaf }) => !isNdArray(leaf))) {
      throw new CrucibleError(
        'failed-precondition',
        `${this.#options.name}: parameters and state are on the device; onHost() copies them`,
      );
    }
    return tree;
  }

  /** What the largest of its programs was predicted to take; undefined before the first step. */
  get memory(): StepMemory | undefined {
    return this.#memory;
  }

  /** Steps made, those before a resumption included. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * One optimizer step at learning rate `rate`, on a batch or on the parts of one, whose gradients are added up: less
   * memory for the same result. Throws, and changes nothing, when the loss is not a number. A step whose gradients
   * overflow halves is made again with the loss scaled by less.
   */
  async run(parts: B | readonly B[], rate: number): Promise<StepResult> {
    const scalars = { rate: scalar(rate), step: scalar(this.#steps + 1) };
    const { device } = await chooseDevice(this.#options.device ?? 'cpu');
    this.#carried = await placed(this.#carried, device);
    for (;;) {
      const updated = Array.isArray(parts)
        ? await this.#runInParts(parts as readonly B[], scalars)
        : await this.#runWhole(parts as B, scalars);
      const { loss, norm, metrics, scale, ...carried } = updated;
      if (Number.isFinite(loss) && Number.isFinite(norm)) {
        disposeArrays(this.#carried);
        this.#carried = carried;
        this.#steps++;
        return { loss, gradientNorm: norm, metrics, ...(scale !== undefined && { lossScale: scale }) };
      }
      const isOverflow = Number.isFinite(loss) && scale !== undefined && scale >= smallestScale;
      if (!isOverflow) {
        disposeArrays(carried);
        throw new CrucibleError(
          'failed-precondition',
          `${this.#options.name}: loss ${loss} and gradient norm ${norm} at step ${this.#steps + 1}; a lower learning rate may help`,
        );
      }
      const { scaling, ...rejected } = carried;
      disposeArrays(rejected);
      disposeArrays(this.#carried.scaling);
      this.#carried = { ...this.#carried, scaling };
    }
  }

  /** Refuses programs for which there is no memory. */
  get #admitting(): TrainStepOptions & Pick<CompileOptions, 'admit'> {
    return {
      ...this.#options,
      admit: (estimate) => {
        const memory = stepMemory(estimate);
        assertStepFits(this.#options.name, memory);
        if (memory.needed > (this.#memory?.needed ?? 0)) this.#memory = memory;
      },
    };
  }

  /** Releases the programs, and what is on the device: `onHost` comes before. */
  async dispose(): Promise<void> {
    disposeArrays(this.#carried);
    this.#placedFrozen.dispose();
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
        (program = await compileWhole(this.#carried, this.#frozen, batch, this.#loss, this.#admitting)),
      );
    const { loss, norm, metrics, scale, ...carried } = await program.run({
      ...this.#carried,
      ...scalars,
      frozen: await this.#placedFrozen.place(this.#frozen, program.device),
      batch,
    });
    return { ...carried, loss: itemOf(loss), norm: itemOf(norm), metrics: numbersOf(metrics), scale: numberOf(scale) };
  }

  async #runInParts(parts: readonly B[], scalars: Scalars): Promise<Updated> {
    const { parameters, scaling } = this.#carried;
    let sums: object = mapTree(parameters, isAnyArray, ({ shape }) => zerosArray('float32', shape)) as object;
    let loss = 0;
    const metrics: Record<string, number> = {};
    for (const part of parts) {
      const key = shapeKey(part);
      let program = this.#partial.get(key);
      if (!program)
        this.#partial.set(
          key,
          (program = await compilePart(this.#carried, this.#frozen, part, this.#loss, this.#admitting)),
        );
      const frozen = await this.#placedFrozen.place(this.#frozen, program.device);
      const result = await program.run({ parameters, scaling, sums, frozen, part });
      disposeArrays(sums);
      sums = result.sums;
      loss += itemOf(result.loss);
      for (const [name, value] of Object.entries(numbersOf(result.metrics)))
        metrics[name] = (metrics[name] ?? 0) + value;
    }
    this.#applying ??= await compileApplying(this.#carried, this.#admitting);
    const { norm, scale, ...carried } = await this.#applying.run({ ...this.#carried, ...scalars, gradients: sums });
    disposeArrays(sums);
    return { ...carried, loss, norm: itemOf(norm), metrics, scale: numberOf(scale) };
  }
}

/** What a step goes on from, beside the parameters. */
export interface Resumed {
  readonly state: OptimizerState<NdArray>;
  /** Steps made. */
  readonly steps: number;
  readonly lossScale?: number;
}

export interface OnHost<P> {
  readonly parameters: P;
  readonly state: OptimizerState<NdArray>;
  /** With `float16`: what the loss is multiplied by at present. */
  readonly lossScale?: number;
}

interface Carried {
  readonly parameters: object;
  readonly state: OptimizerState<AnyArray>;
  /** Empty where the loss is not scaled. */
  readonly scaling: Scaling<AnyArray>;
}

/** All of it on the device; what is there already stays as it is. */
async function placed(carried: Carried, device: Device): Promise<Carried> {
  return (await treeToDevice(carried, device)) as Carried;
}

interface Scalars {
  readonly rate: NdArray;
  readonly step: NdArray;
}

interface Updated extends Carried {
  readonly loss: number;
  readonly norm: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly scale: number | undefined;
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
    ({ batch: symbols, frozen: constants, ...inputs }) => {
      const { loss, metrics = {} } = lossOf(inputs.parameters, symbols, constants);
      const gradients = gradient<object>(scaled(loss, inputs.scaling), inputs.parameters);
      return { loss, metrics: { ...metrics }, ...updated(inputs, gradients, options) };
    },
    { ...options, keep: ['parameters', 'state', 'scaling'] },
  );
}

/** Adds one part's gradients to those so far. */
function compilePart(
  { parameters, scaling }: Carried,
  frozen: object,
  part: Batch,
  lossOf: LossFunction<object, Batch>,
  options: TrainStepOptions,
) {
  return compile(
    { parameters, scaling, sums: parameters, frozen, part },
    (inputs) => {
      const { loss, metrics = {} } = lossOf(inputs.parameters, inputs.part, inputs.frozen);
      const gradients = new Map(
        flatten(gradient(scaled(loss, inputs.scaling), inputs.parameters), isTensor).map(({ path, leaf }) => [
          path,
          leaf,
        ]),
      );
      const sums = mapTree(inputs.sums, isTensor, (sum, path) => add(sum, gradients.get(path)!)) as object;
      return { loss, metrics: { ...metrics }, sums };
    },
    { ...options, keep: ['sums'] },
  );
}

/** Applies summed gradients. */
function compileApplying(carried: Carried, options: TrainStepOptions) {
  return compile(
    { ...carried, ...scalarTypes, gradients: carried.parameters },
    ({ gradients, ...inputs }) => updated(inputs, gradients, options),
    { ...options, keep: ['parameters', 'state', 'scaling'] },
  );
}

/** What the optimizer makes of the gradients of the scaled loss, and the scale for the next step. */
function updated(
  { parameters, state, scaling, ...scalars }: Symbols<Carried & Scalars>,
  gradients: object,
  { optimizer, lossScaling }: TrainStepOptions,
) {
  const advanced = optimizer.update(parameters, unscaled(gradients, scaling), state, scalars);
  const next = nextScaling(scaling, advanced.norm, lossScaling);
  return { ...advanced, scaling: next, scale: 'scale' in next ? [next.scale] : [] };
}

function numberOf([scale]: readonly NdArray[]): number | undefined {
  return scale && itemOf(scale);
}

function shapeKey(batch: Batch): string {
  return Object.values(batch)
    .map(({ shape }) => shape.join('x'))
    .join(' ');
}

function numbersOf(metrics: Readonly<Record<string, NdArray>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, itemOf(value)]));
}
