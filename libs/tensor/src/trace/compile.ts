import { readFileSync } from 'node:fs';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type CachedProgram, CompileCache, type CompileCacheOptions } from '../cache/compile-cache.ts';
import { compileKey } from '../cache/compile-key.ts';
import { Graph, type Program, topologicalOrder } from '../ir/graph.ts';
import { printProgram, printType } from '../ir/print.ts';
import { isPrimitive, isTensor, type Tensor, type TensorType } from '../ir/tensor.ts';
import { type LoweredProgram, lowerProgram } from '../lower/lower.ts';
import { estimateMemory, type MemoryEstimate } from '../memory/estimate-memory.ts';
import { overwritable } from '../memory/overwritable.ts';
import type { Device, DeviceChoice } from '../device.ts';
import type { HostType } from '../dtype.ts';
import { isNdArray, type NdArray, zerosArray } from '../nd-array.ts';
import { optimize, type Precision, precisions } from '../rewrite/passes.ts';
import { chooseDevice } from '../runtime/choose-device.ts';
import { type AnyArray, DeviceArray, isAnyArray } from '../runtime/device-array.ts';
import { Session, type SessionOptions, UnplacedNodes } from '../runtime/session.ts';
import { canStay } from '../runtime/transfer.ts';
import { describeUnplaced, findUnplaced } from '../runtime/unplaced.ts';
import { shapesEqual, sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';

export interface CompileOptions<Kept extends string = never> {
  /** Named in errors. Default: `program`. */
  readonly name?: string;
  /** Where the program runs. Default: `cpu`. */
  readonly device?: DeviceChoice;
  /**
   * Branches of the result that stay in the device's memory, to be fed to programs again: `toHost` copies them, and who
   * has them disposes of them. On devices that cannot keep them they are arrays on the host. Default: none.
   */
  readonly keep?: readonly Kept[];
  /**
   * Branches that the inputs and the result have in common, leaf by leaf: on the CPU their results are written over the
   * arrays that are given, without a copy, and are these arrays. Elsewhere they are new ones. Default: none.
   */
  readonly overwrite?: readonly string[];
  /**
   * Trees of arrays by branches of the result: on the CPU each run writes them, without a copy, and they are the result.
   * Elsewhere results are new arrays. Default: none.
   */
  readonly into?: Readonly<Record<string, object>>;
  /**
   * What matrix products are worked out in; everything else stays in float32. `float16`: on WebGPU, where the card has it,
   * and CUDA; `bfloat16`: on CUDA; the CPU rounds as they do and is no faster for it. Default: `float32`.
   */
  readonly precision?: Precision;
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
  /** Writes a profile of every operator to this path prefix (Chrome trace format). */
  readonly profile?: string;
  /** Whether the program is rewritten before it is lowered; without, it runs as it was traced. Default: true. */
  readonly optimize?: boolean;
  /**
   * Is told what the program will take of the host's memory before it is made; what it throws, `compile` throws. Not asked
   * on other devices. Default: nothing.
   */
  readonly admit?: (memory: MemoryEstimate) => void;
  /**
   * Where compiled programs for the CPU are kept between processes. Default: what `useCompileCache` was given; none
   * without.
   */
  readonly cache?: CompileCache;
}

/** Types of a signature's leaves: arrays may stand for their types. */
export type Signature<T> = TreeLike<T, TensorType, Tensor>;

export interface CompileStatistics {
  /** Nodes of the ONNX graph. */
  readonly nodes: number;
  /** Whether the program came from a cache on the disk. */
  readonly isCached: boolean;
  /** Running `build`. */
  readonly traceMs: number;
  /** Rewriting and lowering, or finding the program in the cache. */
  readonly rewriteMs: number;
  /** ONNX Runtime: its own optimization, and its session. */
  readonly sessionMs: number;
  /** Of the model with its constants. */
  readonly modelBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** What a program gives for the tree of symbolic results `O`: arrays, those of the branches `Kept` wherever they are. */
export type Results<O, Kept extends string = never> = [Kept] extends [never]
  ? TreeLike<O, Tensor, NdArray>
  : { [K in keyof O]: TreeLike<O[K], Tensor, K extends Kept ? AnyArray : NdArray> };

/**
 * A function over trees of arrays, compiled for fixed shapes. It holds native memory until `dispose`.
 * Running it blocks the thread; calls on one program must not overlap.
 */
export class CompiledProgram<I, O, Kept extends string = never> {
  readonly device: Device;
  readonly statistics: CompileStatistics;
  readonly #name: string;
  readonly #session: Session;
  readonly #signature: readonly { readonly path: string; readonly leaf: TensorType }[];
  readonly #outputTree: unknown;
  readonly #outputNames: readonly string[];
  readonly #program: () => Program;
  /** Where results are written, in their order; undefined where the session makes new arrays. */
  readonly #places: readonly Place[] | undefined;

  constructor(parts: {
    name: string;
    device: Device;
    session: Session;
    signature: readonly { path: string; leaf: TensorType }[];
    outputTree: unknown;
    outputNames: readonly string[];
    program: () => Program;
    places: readonly Place[] | undefined;
    statistics: CompileStatistics;
  }) {
    this.#name = parts.name;
    this.device = parts.device;
    this.#session = parts.session;
    this.#signature = parts.signature;
    this.#outputTree = parts.outputTree;
    this.#outputNames = parts.outputNames;
    this.#program = parts.program;
    this.#places = parts.places;
    this.statistics = parts.statistics;
  }

  /** Inputs are read in place and not kept; outputs are new arrays, but for what `overwrite` and `into` name. */
  async run(inputs: TreeLike<I, TensorType, AnyArray>): Promise<Results<O, Kept>> {
    const given = flatten(inputs, isAnyArray);
    const feeds: Record<string, AnyArray> = {};
    this.#signature.forEach(({ path, leaf }, i) => {
      const fed = given[i];
      if (fed?.path !== path) throw invalidInput(`${this.#name}: ${path} is missing; found ${fed?.path ?? 'nothing'}`);
      if (fed.leaf.dtype !== leaf.dtype || !shapesEqual(fed.leaf.shape, leaf.shape)) {
        throw invalidInput(`${this.#name}: ${path} is ${printType(fed.leaf)}, compiled for ${printType(leaf)}`);
      }
      feeds[path] = fed.leaf;
    });
    if (given.length > this.#signature.length) {
      throw invalidInput(`${this.#name}: ${given[this.#signature.length]!.path} is not an input`);
    }
    const results = this.#places
      ? await this.#runInto(feeds, this.#places)
      : await this.#session.run(feeds, this.#outputNames);
    let next = 0;
    return mapTree(this.#outputTree, isTensor, () => results[next++]!) as Results<O, Kept>;
  }

  async #runInto(feeds: Readonly<Record<string, AnyArray>>, places: readonly Place[]): Promise<NdArray[]> {
    this.#assertOverwritable(feeds, places);
    const written: Record<string, NdArray> = {};
    const results = places.map((place, i) => {
      const { shape, dtype } = place.type;
      const own = (): NdArray => zerosArray(dtype as HostType, shape);
      const result = place.into ?? (place.over === undefined ? own() : (feeds[place.over] as NdArray));
      // What may not be written while it is read goes by an array of its own.
      written[this.#outputNames[i]!] = place.isIndirect ? (place.own ??= own()) : result;
      return result;
    });
    await this.#session.runInto(feeds, written);
    places.forEach(({ isIndirect, own }, i) => {
      if (isIndirect) results[i]!.data.set(own!.data);
    });
    return results;
  }

  /** What is written must not be read under another name as well. */
  #assertOverwritable(feeds: Readonly<Record<string, AnyArray>>, places: readonly Place[]): void {
    const overwritten = new Set(places.map(({ over }) => over));
    const written = new Set(places.map(({ into }) => into?.data));
    const paths = new Map<unknown, string>();
    for (const [path, array] of Object.entries(feeds)) {
      if (array instanceof DeviceArray || array.data.length === 0) continue;
      if (written.has(array.data)) {
        throw invalidInput(`${this.#name}: ${path} is an array that results are written into`);
      }
      const other = paths.get(array.data);
      if (other !== undefined && (overwritten.has(path) || overwritten.has(other))) {
        throw invalidInput(`${this.#name}: ${other} and ${path} are one array, which results are written over`);
      }
      paths.set(array.data, path);
    }
  }

  /** The program as it was lowered, as text. */
  print(): string {
    return printProgram(this.#program());
  }

  endProfiling(): void {
    this.#session.endProfiling();
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}

/** Where a result is written. */
interface Place {
  readonly type: TensorType;
  /** The input whose array it is written over. */
  readonly over?: string;
  /** Whether it gets there by a copy. */
  readonly isIndirect: boolean;
  /** From which it is copied then. */
  own?: NdArray;
  /** The array that it is written into. */
  readonly into?: NdArray;
}

/**
 * Traces `build` with symbolic inputs of the types in `signature`, rewrites the program and compiles it. `build` runs
 * once; shape errors come from here, before anything runs.
 */
export async function compile<I, O, const Kept extends string = never>(
  signature: I,
  build: (inputs: Signature<I>) => O,
  options: CompileOptions<Kept> = {},
): Promise<CompiledProgram<I, O, Kept>> {
  const { name = 'program', threads, profile, precision = 'float32', overwrite = [], into = {} } = options;
  const { device } = await chooseDevice(options.device ?? 'cpu');
  assertPrecision(precision, device);
  const start = performance.now();
  const types = flatten(signature, isTensorType);
  const { program, outputTree } = trace(signature, build, name);
  const traced = performance.now();
  const overwritten = overwrittenInputs(name, types, outputTree, overwrite);
  const targets = arraysInto(name, outputTree, into);
  const isWrittenInto = device === 'cpu' && overwrite.length + targets.size > 0;
  const rewritten = (): Program => (options.optimize === false ? program : optimize(program, precision));
  const given = { device, ...(threads !== undefined && { threads }), ...(profile !== undefined && { profile }) };
  const create = async (): Promise<CreatedSession> => {
    const optimized = rewritten();
    const direct = directOutputs(optimized, overwritten);
    if (device === 'cpu') options.admit?.(estimateMemory(optimized, { held: new Set(targets.keys()), direct }));
    const lowered = lowerProgram(optimized, device, isWrittenInto);
    const rewriteMs = performance.now() - traced;
    const kept = keptOutputs(outputTree, lowered.outputs, options.keep ?? [], device);
    const session = await createSession(name, optimized, lowered.model, { ...given, kept });
    return { session, lowered: { ...lowered, direct }, isCached: false, rewriteMs };
  };
  // What ONNX Runtime makes of a model for a GPU belongs to its driver, too.
  const cache = device === 'cpu' ? (options.cache ?? defaultCache) : undefined;
  const cached = {
    program,
    rewritten,
    options: { optimize: options.optimize !== false, precision, overwritten: [...overwritten], isWrittenInto },
    overwritten,
    targets,
    isWrittenInto,
    start: traced,
    admit: options.admit,
  };
  const created = await (cache ? createCached(cache, cached, given) : create());
  const { session, lowered, isCached, rewriteMs } = created;
  const bytesOf = (tensors: readonly Tensor[]): number =>
    tensors.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  return new CompiledProgram<I, O, Kept>({
    name,
    device,
    session,
    signature: types,
    outputTree,
    outputNames: lowered.outputs,
    program: rewritten,
    places: isWrittenInto
      ? program.outputs.map((type, i) => {
          const over = overwritten.get(i);
          const isIndirect = over !== undefined && !lowered.direct.includes(i);
          const target = targets.get(i);
          return { type, ...(over !== undefined && { over }), isIndirect, ...(target && { into: target }) };
        })
      : undefined,
    statistics: {
      nodes: lowered.nodes,
      isCached,
      traceMs: traced - start,
      rewriteMs,
      sessionMs: performance.now() - traced - rewriteMs,
      modelBytes: lowered.model.byteLength,
      inputBytes: bytesOf(program.inputs),
      outputBytes: bytesOf(program.outputs),
    },
  });
}

function assertPrecision(precision: Precision, device: Device): void {
  if (!precisions.includes(precision)) {
    throw invalidInput(`precision ${precision as string} is unknown; there are ${precisions.join(', ')}`, {
      at: 'precision',
    });
  }
  if (precision === 'bfloat16' && device === 'webgpu') {
    throw invalidInput('precision bfloat16: the device webgpu has float32 and float16; cuda and cpu have it', {
      at: 'precision',
    });
  }
}

/** A session on the device, or an error that names what the device cannot do. */
async function createSession(
  name: string,
  program: Program,
  model: Uint8Array,
  options: SessionOptions & { readonly device: Device },
): Promise<Session> {
  try {
    return await Session.create(model, options);
  } catch (reason) {
    if (!(reason instanceof UnplacedNodes)) throw reason;
    const { device } = options;
    const unplaced = await findUnplaced(program, device, (alone) => lowerProgram(alone, device));
    throw new CrucibleError(
      'unimplemented',
      unplaced.length > 0
        ? `${name}: the device ${device} has no kernel for ${describeUnplaced(unplaced)}; the device cpu has`
        : `${name}: the device ${device} leaves nodes to the CPU, each of which it has a kernel for on its own`,
      { at: 'device', cause: reason },
    );
  }
}

interface CreatedSession {
  readonly session: Session;
  readonly lowered: LoweredProgram & Pick<CachedProgram, 'direct'>;
  readonly isCached: boolean;
  readonly rewriteMs: number;
}

interface ToCache {
  readonly program: Program;
  readonly rewritten: () => Program;
  /** What else decides how the program is rewritten. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly overwritten: ReadonlyMap<number, string>;
  readonly targets: ReadonlyMap<number, NdArray>;
  readonly isWrittenInto: boolean;
  readonly start: number;
  readonly admit: ((memory: MemoryEstimate) => void) | undefined;
}

async function createCached(
  cache: CompileCache,
  { program, rewritten, options, overwritten, targets, isWrittenInto, start, admit }: ToCache,
  given: SessionOptions,
): Promise<CreatedSession> {
  const key = compileKey(program, options);
  const found = cache.load(key);
  if (found) {
    admit?.(found.memory);
    const rewriteMs = performance.now() - start;
    const session = await sessionOfFound(program, found, given);
    if (session) return { session, lowered: found, isCached: true, rewriteMs };
    cache.remove(key);
  }
  return cache.withTemporaryFile(async (path) => {
    const optimized = rewritten();
    const direct = directOutputs(optimized, overwritten);
    const memory = estimateMemory(optimized, { held: new Set(targets.keys()), direct });
    admit?.(memory);
    const lowered = { ...lowerProgram(optimized, 'cpu', isWrittenInto), direct };
    const rewriteMs = performance.now() - start;
    const saveOptimized = lowered.model.byteLength <= largestCached ? path : undefined;
    const session = await Session.create(lowered.model, { ...given, saveOptimized });
    if (saveOptimized !== undefined) cache.store(key, { ...lowered, model: readFileSync(saveOptimized), memory });
    return { session, lowered, isCached: false, rewriteMs };
  });
}

/** Undefined where ONNX Runtime does not take what was found, or it is another program. */
async function sessionOfFound(
  program: Program,
  { model, outputs }: CachedProgram,
  given: SessionOptions,
): Promise<Session | undefined> {
  let session: Session;
  try {
    session = await Session.create(model, { ...given, isOptimized: true });
  } catch {
    return undefined;
  }
  const inputs = program.inputs.map(({ params }) => params.name);
  if (session.has(inputs, outputs) && outputs.length === program.outputs.length) return session;
  await session.dispose();
  return undefined;
}

/** Larger models are not kept: they hold the weights of a network, which are elsewhere on the disk. */
const largestCached = 64 * 2 ** 20;

let defaultCache: CompileCache | undefined;

/** Keeps all programs that are compiled in this process from now on in a folder (`undefined`: not), unless `compile` is told otherwise. */
export function useCompileCache(folder: string | undefined, options: CompileCacheOptions = {}): void {
  defaultCache = folder === undefined ? undefined : new CompileCache(folder, options);
}

/** By the place of each result in a branch of `overwrite`: the input that it is written over. */
function overwrittenInputs(
  name: string,
  signature: readonly { readonly path: string; readonly leaf: TensorType }[],
  outputTree: unknown,
  branches: readonly string[],
): ReadonlyMap<number, string> {
  const inputs = new Map(signature.map(({ path, leaf }) => [path, leaf]));
  const found = new Map<number, string>();
  flatten(outputTree, isTensor).forEach(({ path, leaf }, i) => {
    if (!branches.includes(branchOf(path))) return;
    const input = inputs.get(path);
    if (input?.dtype !== leaf.dtype || !shapesEqual(input.shape, leaf.shape)) {
      throw invalidInput(
        `${name}: the result ${path}, ${printType(leaf)}, cannot be written over ${input ? printType(input) : 'an input: there is none of the name'}`,
        { at: 'overwrite' },
      );
    }
    found.set(i, path);
  });
  return found;
}

/** By the place of each result in a branch of `into`: the array that it is written into. */
function arraysInto(
  name: string,
  outputTree: unknown,
  into: Readonly<Record<string, object>>,
): ReadonlyMap<number, NdArray> {
  const arrays = new Map(flatten(into, isNdArray).map(({ path, leaf }) => [path, leaf]));
  const found = new Map<number, NdArray>();
  flatten(outputTree, isTensor).forEach(({ path, leaf }, i) => {
    if (!(branchOf(path) in into)) return;
    const array = arrays.get(path);
    if (array?.dtype !== leaf.dtype || !shapesEqual(array.shape, leaf.shape)) {
      throw invalidInput(
        `${name}: the result ${path}, ${printType(leaf)}, cannot be written into ${array ? printType(array) : 'an array: there is none of the name'}`,
        { at: 'into' },
      );
    }
    found.set(i, array);
  });
  return found;
}

function branchOf(path: string): string {
  return path.split('.')[0]!;
}

/** Places of the results that are written over their input directly. */
function directOutputs(program: Program, overwritten: ReadonlyMap<number, string>): number[] {
  const inputs = new Map(program.inputs.map((input) => [input.params.name, input]));
  const places = [...overwritten.keys()];
  const pairs = [...overwritten].map(([i, path]) => ({ input: inputs.get(path)!, output: program.outputs[i]! }));
  const may = overwritable(program, pairs);
  return places.filter((_, n) => may[n]);
}

/** Names of the outputs in branches that are to stay on the device. */
function keptOutputs(
  outputTree: unknown,
  names: readonly string[],
  branches: readonly string[],
  device: Device,
): string[] {
  return flatten(outputTree, isTensor).flatMap(({ path, leaf }, i) => {
    return branches.includes(branchOf(path)) && canStay(leaf, device) ? [names[i]!] : [];
  });
}

/** The program that `build` writes down, as it stands before any rewriting. */
export function trace<I, O>(
  signature: I,
  build: (inputs: Signature<I>) => O,
  name = 'program',
): { program: Program; outputTree: O } {
  const graph = new Graph();
  const inputs: Tensor<'input'>[] = [];
  const symbolic = mapTree(signature, isTensorType, (type, path) => {
    const input = graph.input(path, type.shape, type.dtype);
    inputs.push(input);
    return input;
  });
  const outputTree = build(symbolic as Signature<I>);
  const outputs = flatten(outputTree, isTensor).map(({ leaf }) => leaf);
  if (outputs.length === 0) throw new CrucibleError('invalid-input', `${name}: the function returns no tensor`);
  const declared = new Set<Tensor>(inputs);
  if (topologicalOrder(outputs).some((tensor) => isPrimitive(tensor, 'input') && !declared.has(tensor))) {
    throw new CrucibleError(
      'invalid-input',
      `${name}: a tensor from inside a scan, loop or block is used outside of it`,
    );
  }
  return { program: { inputs, outputs }, outputTree };
}

function isTensorType(value: unknown): value is TensorType {
  return (
    typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value && Array.isArray(value.shape)
  );
}
