import { readFileSync } from 'node:fs';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type CachedProgram, CompileCache, type CompileCacheOptions } from '../cache/compile-cache.ts';
import { compileKey } from '../cache/compile-key.ts';
import { Graph, type Program, topologicalOrder } from '../ir/graph.ts';
import { printProgram, printType } from '../ir/print.ts';
import { isPrimitive, isTensor, type Tensor, type TensorType } from '../ir/tensor.ts';
import { lowerProgram } from '../lower/lower.ts';
import { isNdArray, type NdArray } from '../nd-array.ts';
import { optimize } from '../rewrite/passes.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { shapesEqual, sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';

export interface CompileOptions extends SessionOptions {
  /** Named in errors. Default: `program`. */
  readonly name?: string;
  /** Whether the program is rewritten before it is lowered; without, it runs as it was traced. Default: true. */
  readonly optimize?: boolean;
  /** Where compiled programs are kept between processes. Default: what `useCompileCache` was given; none without. */
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

/**
 * A function over trees of arrays, compiled for fixed shapes. It holds native memory until `dispose`.
 * Running it blocks the thread; calls on one program must not overlap.
 */
export class CompiledProgram<I, O> {
  readonly statistics: CompileStatistics;
  readonly #name: string;
  readonly #session: Session;
  readonly #signature: readonly { readonly path: string; readonly leaf: TensorType }[];
  readonly #outputTree: unknown;
  readonly #outputNames: readonly string[];
  readonly #program: () => Program;

  constructor(parts: {
    name: string;
    session: Session;
    signature: readonly { path: string; leaf: TensorType }[];
    outputTree: unknown;
    outputNames: readonly string[];
    program: () => Program;
    statistics: CompileStatistics;
  }) {
    this.#name = parts.name;
    this.#session = parts.session;
    this.#signature = parts.signature;
    this.#outputTree = parts.outputTree;
    this.#outputNames = parts.outputNames;
    this.#program = parts.program;
    this.statistics = parts.statistics;
  }

  /** Inputs are read in place and not kept; outputs are new arrays. */
  async run(inputs: TreeLike<I, TensorType, NdArray>): Promise<TreeLike<O, Tensor, NdArray>> {
    const given = flatten(inputs, isNdArray);
    const feeds: Record<string, NdArray> = {};
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
    const results = await this.#session.run(feeds, this.#outputNames);
    let next = 0;
    return mapTree(this.#outputTree, isTensor, () => results[next++]!) as TreeLike<O, Tensor, NdArray>;
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

/**
 * Traces `build` with symbolic inputs of the types in `signature`, rewrites the program and compiles it. `build` runs
 * once; shape errors come from here, before anything runs.
 */
export async function compile<I, O>(
  signature: I,
  build: (inputs: Signature<I>) => O,
  options: CompileOptions = {},
): Promise<CompiledProgram<I, O>> {
  const name = options.name ?? 'program';
  const start = performance.now();
  const types = flatten(signature, isTensorType);
  const { program, outputTree } = trace(signature, build, name);
  const traced = performance.now();
  const optimized = (): Program => (options.optimize === false ? program : optimize(program));
  const { session, lowered, isCached, rewriteMs } = await createSession(program, optimized, options);
  const bytesOf = (tensors: readonly Tensor[]): number =>
    tensors.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  return new CompiledProgram<I, O>({
    name,
    session,
    signature: types,
    outputTree,
    outputNames: lowered.outputs,
    program: optimized,
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

interface CreatedSession {
  readonly session: Session;
  readonly lowered: CachedProgram;
  readonly isCached: boolean;
  readonly rewriteMs: number;
}

async function createSession(
  program: Program,
  optimized: () => Program,
  options: CompileOptions,
): Promise<CreatedSession> {
  const start = performance.now();
  const { cache = defaultCache } = options;
  const lower = (): CachedProgram => lowerProgram(optimized());
  if (!cache) {
    const lowered = lower();
    const rewriteMs = performance.now() - start;
    return { session: await Session.create(lowered.model, options), lowered, isCached: false, rewriteMs };
  }
  const key = compileKey(program, { optimize: options.optimize !== false, device: options.device ?? 'cpu' });
  const found = cache.load(key);
  if (found) {
    const rewriteMs = performance.now() - start;
    const session = await sessionOfFound(program, found, options);
    if (session) return { session, lowered: found, isCached: true, rewriteMs };
    cache.remove(key);
  }
  return cache.withTemporaryFile(async (path) => {
    const lowered = lower();
    const rewriteMs = performance.now() - start;
    const saveTo = lowered.model.byteLength <= largestCached ? path : undefined;
    const session = await Session.create(lowered.model, options, { saveTo });
    if (saveTo !== undefined) cache.store(key, { ...lowered, model: readFileSync(saveTo) });
    return { session, lowered, isCached: false, rewriteMs };
  });
}

/** Undefined where ONNX Runtime does not take what was found, or it is another program. */
async function sessionOfFound(
  program: Program,
  { model, outputs }: CachedProgram,
  options: CompileOptions,
): Promise<Session | undefined> {
  let session: Session | undefined;
  try {
    session = await Session.create(model, options, { isDone: true });
    const inputs = program.inputs.map(({ params }) => params.name);
    if (session.has(inputs, outputs) && outputs.length === program.outputs.length) return session;
  } catch {
    return undefined;
  }
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
