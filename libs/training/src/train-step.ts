import { CrucibleError, invalidInput } from '@crucible/foundation';
import { globalNorm, HostUpdate, type Optimizer, type OptimizerState } from '@crucible/optim';
import {
  add,
  type AnyArray,
  chooseDevice,
  compile,
  type CompileOptions,
  copyArray,
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
  reciprocal,
  reshape,
  scalar,
  scan,
  sliceAxis,
  type Tensor,
  type TensorType,
  type TreeLike,
  treeToDevice,
  treeToHost,
  zerosArray,
  zerosLike,
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
  /**
   * Parts that a batch which is given whole is cut into, along the first axis of each of its arrays: a loop within the
   * program works them out one after the other, in the memory of one, and adds up losses, metrics and gradients.
   * Default: 1.
   */
  readonly microBatches?: number;
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
 * Parameters and optimizer state, and the compiled programs that advance them: one for the loss and its gradients, for
 * each shape of batch when it first comes, and one for the optimizer, which on the CPU writes over both. On a device with
 * memory of its own all of it stays there between steps; `onHost` brings it back.
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
  /** The optimizer: on the CPU, and elsewhere. */
  #update: HostUpdate | undefined;
  #applying: ApplyingProgram | undefined;
  #memory: StepMemory | undefined;
  /** Bytes of the parameters and moments of `#update`. */
  #owned = 0;

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

  /**
   * Where they are: arrays on the host, which the next step writes over, or on the device, which are disposed of when it
   * has been made.
   */
  get current(): { readonly parameters: TreeLike<P, NdArray, AnyArray>; readonly state: OptimizerState<AnyArray> } {
    const { parameters, state } = this.#carried;
    return { parameters: parameters as TreeLike<P, NdArray, AnyArray>, state };
  }

  /** Copies on the host, which no step changes. */
  async onHost(): Promise<OnHost<P>> {
    const { parameters, state, lossScale } = await this.lent();
    return {
      parameters: copied(parameters),
      state: copied(state),
      ...(lossScale !== undefined && { lossScale }),
    };
  }

  /** On the host until the next step, which may write over them: to be saved or measured before it. */
  async lent(): Promise<OnHost<P>> {
    const { parameters, state, scaling } = await treeToHost(this.#carried);
    return {
      parameters: parameters as P,
      state,
      ...('scale' in scaling && { lossScale: itemOf(scaling.scale) }),
    };
  }

  /** The parameters until the next step, on a device that has no memory of its own. */
  get parameters(): P {
    return this.#hostTree(this.#carried.parameters) as P;
  }

  /** The optimizer state until the next step, on a device that has no memory of its own. */
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
    const { device } = await chooseDevice(this.#options.device ?? 'cpu');
    await this.#own(device);
    for (;;) {
      const worked = Array.isArray(parts)
        ? await this.#workOutParts(parts as readonly B[])
        : await this.#workOutWhole(parts as B);
      const { loss, norm, metrics, scale, scaling, gradients } = worked;
      const gradientNorm = itemOf(norm);
      if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) {
        await this.#apply(gradients, norm, rate);
        this.#rescale(scaling);
        this.#steps++;
        return { loss, gradientNorm, metrics, ...(scale !== undefined && { lossScale: scale }) };
      }
      disposeArrays(gradients);
      const isOverflow = Number.isFinite(loss) && scale !== undefined && scale >= smallestScale;
      if (!isOverflow) {
        disposeArrays(scaling);
        throw new CrucibleError(
          'failed-precondition',
          `${this.#options.name}: loss ${loss} and gradient norm ${gradientNorm} at step ${this.#steps + 1}; a lower learning rate may help`,
        );
      }
      this.#rescale(scaling);
    }
  }

  /** On the CPU steps write over parameters and state: those that were given stay as they are. */
  async #own(device: Device): Promise<void> {
    if (device !== 'cpu') {
      this.#carried = await placed(this.#carried, device);
    } else if (!this.#update) {
      const { optimizer, name, threads } = this.#options;
      const { parameters, state, scaling } = this.#carried as Carried<NdArray>;
      const [gradients, owned] = [bytesOf(parameters), bytesOf({ parameters, state })];
      // Before any of it is taken
      assertStepFits(name, stepMemory({ inputs: 0, constants: 0, between: 0, results: 0, held: gradients }, owned));
      this.#owned = owned;
      this.#update = new HostUpdate(optimizer, parameters, state, { name, ...(threads !== undefined && { threads }) });
      this.#carried = { parameters: this.#update.parameters, state: this.#update.state, scaling };
    }
  }

  #rescale(scaling: Scaling<AnyArray>): void {
    disposeArrays(this.#carried.scaling);
    this.#carried = { ...this.#carried, scaling };
  }

  /** Refuses programs for which there is no memory, and says where gradients go. */
  get #placing(): Placing {
    return {
      ...this.#options,
      ...(this.#update && { gradients: this.#update.gradients }),
      admit: (estimate) => {
        // Parameters and moments are there by now.
        assertStepFits(this.#options.name, stepMemory(estimate));
        const memory = stepMemory(estimate, this.#owned);
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
    await this.#update?.dispose();
    this.#whole.clear();
    this.#partial.clear();
    this.#applying = undefined;
  }

  async #workOutWhole(batch: B): Promise<WorkedOut> {
    const { parameters, scaling } = this.#carried;
    const key = shapeKey(batch);
    let program = this.#whole.get(key);
    if (!program)
      this.#whole.set(
        key,
        (program = await compileWhole(this.#carried, this.#frozen, batch, this.#loss, this.#placing)),
      );
    const frozen = await this.#placedFrozen.place(this.#frozen, program.device);
    const { loss, metrics, scale, ...others } = await program.run({ parameters, scaling, frozen, batch });
    return { ...others, loss: itemOf(loss), metrics: numbersOf(metrics), scale: numberOf(scale) };
  }

  async #workOutParts(parts: readonly B[]): Promise<WorkedOut> {
    const { parameters, scaling } = this.#carried;
    let sums = this.#update
      ? zeroed(this.#update.gradients)
      : (mapTree(parameters, isAnyArray, ({ shape }) => zerosArray('float32', shape)) as object);
    let loss = 0;
    const metrics: Record<string, number> = {};
    let last: Omit<WorkedOut, 'loss' | 'metrics'> | undefined;
    for (const part of parts) {
      const key = shapeKey(part);
      let program = this.#partial.get(key);
      if (!program)
        this.#partial.set(
          key,
          (program = await compilePart(this.#carried, this.#frozen, part, this.#loss, this.#placing)),
        );
      const frozen = await this.#placedFrozen.place(this.#frozen, program.device);
      const result = await program.run({ parameters, scaling, gradients: sums, frozen, part });
      disposeArrays(sums);
      if (last) disposeArrays(last.scaling);
      sums = result.gradients;
      loss += itemOf(result.loss);
      for (const [name, value] of Object.entries(numbersOf(result.metrics)))
        metrics[name] = (metrics[name] ?? 0) + value;
      last = { gradients: sums, norm: result.norm, scaling: result.scaling, scale: numberOf(result.scale) };
    }
    if (!last) throw invalidInput(`${this.#options.name}: a batch of no parts`);
    return { ...last, loss, metrics };
  }

  async #apply(gradients: object, norm: NdArray, rate: number): Promise<void> {
    const scalars = { norm, rate: scalar(rate), step: scalar(this.#steps + 1) };
    const { scaling, ...old } = this.#carried;
    if (this.#update) {
      const factor = 'scale' in scaling && { factor: scalar(1 / itemOf(scaling.scale as NdArray)) };
      await this.#update.apply({ ...scalars, ...factor });
      return;
    }
    this.#applying ??= await compileApplying(this.#carried, this.#options);
    const advanced = await this.#applying.run({ ...old, scaling, ...scalars, gradients });
    disposeArrays(gradients);
    disposeArrays(old);
    this.#carried = { ...advanced, scaling };
  }
}

/** Of a batch: the gradients of the scaled loss, their norm unscaled, and the scaling for the next step. */
interface WorkedOut {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly gradients: object;
  readonly norm: NdArray;
  readonly scaling: Scaling<AnyArray>;
  readonly scale: number | undefined;
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

interface Carried<Leaf = AnyArray> {
  readonly parameters: object;
  readonly state: OptimizerState<Leaf>;
  /** Empty where the loss is not scaled. */
  readonly scaling: Scaling<Leaf>;
}

/** With arrays for the gradients, where they are on the host. */
type Placing = TrainStepOptions & Pick<CompileOptions, 'admit'> & { readonly gradients?: object };

/** All of it on the device; what is there already stays as it is. */
async function placed(carried: Carried, device: Device): Promise<Carried> {
  return (await treeToDevice(carried, device)) as Carried;
}

type WholeProgram = Awaited<ReturnType<typeof compileWhole>>;
type PartProgram = Awaited<ReturnType<typeof compilePart>>;
type ApplyingProgram = Awaited<ReturnType<typeof compileApplying>>;

const number: TensorType = { shape: [], dtype: 'float32' };

/** Forward and backward. */
function compileWhole(
  { parameters, scaling }: Carried,
  frozen: object,
  batch: Batch,
  lossOf: LossFunction<object, Batch>,
  options: Placing,
) {
  return compile(
    { parameters, scaling, frozen, batch },
    (inputs) => {
      const workOut = (part: Symbols<Batch>) => {
        const { loss, metrics = {} } = lossOf(inputs.parameters, part, inputs.frozen);
        const gradients = gradient<object>(scaled(loss, inputs.scaling), inputs.parameters);
        return { loss, metrics: { ...metrics }, gradients };
      };
      const { microBatches = 1 } = options;
      const worked = microBatches === 1 ? workOut(inputs.batch) : addedUp(workOut, inputs.batch, options);
      return { ...worked, ...judged(worked.gradients, inputs.scaling, options) };
    },
    {
      ...options,
      keep: ['gradients', 'scaling'],
      ...(options.gradients && { into: { gradients: options.gradients } }),
    },
  );
}

interface Sums {
  readonly loss: Tensor;
  readonly metrics: Readonly<Record<string, Tensor>>;
  readonly gradients: object;
}

/** What `workOut` gives for the parts of a batch, in sum, by a loop. */
function addedUp(
  workOut: (part: Symbols<Batch>) => Sums,
  batch: Symbols<Batch>,
  { name, microBatches }: TrainStepOptions,
): Sums {
  const count = microBatches!;
  const parts = mapTree(batch, isTensor, (array, path) => {
    const [rows = 0, ...others] = array.shape;
    if (!Number.isInteger(count) || count < 1 || rows === 0 || rows % count !== 0) {
      throw invalidInput(
        `${name}: ${path} of the batch has the shape [${array.shape.join(', ')}], which does not divide into ${count} micro batches`,
        { at: 'microBatches' },
      );
    }
    return reshape(array, [count, rows / count, ...others]);
  }) as Symbols<Batch>;
  // What the first part gives says what there is to add up; nothing of it is worked out.
  const first = mapTree(parts, isTensor, (array) => reshape(sliceAxis(array, 0, 0, 1), array.shape.slice(1)));
  const form = workOut(first as Symbols<Batch>);
  return scan(
    (sums: Sums, part: Symbols<Batch>) => ({ carry: sumOf(sums, workOut(part)) }),
    mapTree(form, isTensor, zerosLike) as Sums,
    parts,
  ).carry;
}

/** Of trees of the same form, leaf by leaf. */
function sumOf<T extends object>(a: T, b: T): T {
  const others = new Map(flatten(b, isTensor).map(({ path, leaf }) => [path, leaf]));
  return mapTree(a, isTensor, (leaf, path) => add(leaf, others.get(path)!)) as T;
}

/** Adds one part's gradients to those so far. */
function compilePart(
  { parameters, scaling }: Carried,
  frozen: object,
  part: Batch,
  lossOf: LossFunction<object, Batch>,
  options: Placing,
) {
  return compile(
    { parameters, scaling, gradients: parameters, frozen, part },
    (inputs) => {
      const { loss, metrics = {} } = lossOf(inputs.parameters, inputs.part, inputs.frozen);
      const gradients = sumOf(inputs.gradients, gradient<object>(scaled(loss, inputs.scaling), inputs.parameters));
      return { loss, metrics: { ...metrics }, gradients, ...judged(gradients, inputs.scaling, options) };
    },
    { ...options, keep: ['gradients', 'scaling'], overwrite: ['gradients'] },
  );
}

/** The norm of what the gradients are unscaled, and what their overflow makes of the scale. */
function judged(gradients: object, scaling: Scaling<Tensor>, { lossScaling }: TrainStepOptions) {
  const norm = unscaled(globalNorm(gradients), scaling);
  const next = nextScaling(scaling, norm, lossScaling);
  return { norm, scaling: next, scale: 'scale' in next ? [next.scale] : [] };
}

/** The optimizer, where there is no `HostUpdate`. */
function compileApplying({ scaling, ...carried }: Carried, options: TrainStepOptions) {
  return compile(
    { ...carried, scaling, norm: number, rate: number, step: number, gradients: carried.parameters },
    ({ parameters, state, gradients, scaling: given, ...scalars }) => {
      const factor = 'scale' in given && { factor: reciprocal(given.scale) };
      return options.optimizer.update(parameters, gradients, state, { ...scalars, ...factor });
    },
    { ...options, keep: ['parameters', 'state'] },
  );
}

function bytesOf(tree: object): number {
  return flatten(tree, isNdArray).reduce((total, { leaf }) => total + leaf.data.byteLength, 0);
}

/** A tree of arrays on the host, each of them copied. */
function copied<T extends object>(tree: T): T {
  return mapTree(tree, isNdArray, copyArray) as T;
}

function zeroed(tree: object): object {
  for (const { leaf } of flatten(tree, isNdArray)) leaf.data.fill(0);
  return tree;
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
