/**
 * What a program takes, told before it runs: its inputs, what lies between at most at one time, and its results. By the types of
 * its nodes and by when each is read last, in the order in which they are worked out.
 */
import { type Program, programsWithin, topologicalOrder } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import { isPrimitive, type Tensor, type TensorType } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';

/** Bytes. */
export interface MemoryEstimate {
  /** What is fed: it is there before the program runs, and read in place. */
  readonly inputs: number;
  /** Constants within the program, of which the session has a copy. */
  readonly constants: number;
  /** What lies between inputs and results at most at one time, results that are ready by then included. */
  readonly between: number;
  /** The results as they are given out: new arrays, made when all is done. */
  readonly results: number;
  /** Arrays of the caller's that results are written into. */
  readonly held: number;
}

/** Where results go that are no new arrays, by their places. */
export interface PlacedResults {
  /** Into arrays of the caller's. */
  readonly held?: ReadonlySet<number>;
  /** Into inputs. */
  readonly direct?: readonly number[];
}

/** Their result is their first input, seen otherwise. */
const views: ReadonlySet<Primitive> = new Set(['reshape', 'stopGradient', 'part', 'barrier']);

/** Kernels that may write over an input that nothing reads afterwards. */
const inPlace: ReadonlySet<Primitive> = new Set([
  ...([
    'add',
    'sub',
    'mul',
    'div',
    'neg',
    'abs',
    'exp',
    'log',
    'sqrt',
    'reciprocal',
    'tanh',
    'sigmoid',
    'relu',
  ] as const),
  ...(['softmax', 'maximum', 'minimum', 'cast', 'where', 'scatterAdd', 'scatterSet', 'scatterAlong'] as const),
]);

export function estimateMemory(
  program: Program,
  { held = new Set(), direct = [] }: PlacedResults = {},
): MemoryEstimate {
  const placed = new Set(program.outputs.filter((_, i) => held.has(i) || direct.includes(i)));
  const order = topologicalOrder(program.outputs);
  const given = new Set<Tensor>(program.inputs);
  const owner = new Map<Tensor, Tensor>();
  const ownerOf = (tensor: Tensor): Tensor => owner.get(tensor) ?? tensor;
  const reads = new Map<Tensor, number>();
  for (const tensor of order) {
    if (views.has(tensor.primitive)) owner.set(tensor, ownerOf(tensor.inputs[0]!));
    for (const input of tensor.inputs) reads.set(ownerOf(input), (reads.get(ownerOf(input)) ?? 0) + 1);
  }
  // Results are kept to the end.
  for (const output of program.outputs) reads.set(ownerOf(output), (reads.get(ownerOf(output)) ?? 0) + 1);

  let constants = 0;
  let live = 0;
  let between = 0;
  for (const tensor of order) {
    if (given.has(tensor)) continue;
    if (isPrimitive(tensor, 'constant')) {
      constants += bytesOf(tensor);
      continue;
    }
    const isFree = (input: Tensor): boolean => {
      const own = ownerOf(input);
      return (
        reads.get(own) === 1 && !given.has(own) && !isPrimitive(own, 'constant') && bytesOf(own) >= bytesOf(tensor)
      );
    };
    const isView = views.has(tensor.primitive);
    const replaced = inPlace.has(tensor.primitive) ? tensor.inputs.find(isFree) : undefined;
    if (!isView) {
      if (!placed.has(tensor)) live += bytesOf(tensor);
      // What runs within a node takes its own while it does.
      const within = programsWithin(tensor).reduce((most, each) => Math.max(most, estimateMemory(each).between), 0);
      between = Math.max(between, live + within - (replaced ? bytesOf(ownerOf(replaced)) : 0));
    }
    for (const input of tensor.inputs) {
      const own = ownerOf(input);
      const left = reads.get(own)! - 1;
      reads.set(own, left);
      if (left === 0 && !given.has(own) && !placed.has(own) && !isPrimitive(own, 'constant')) live -= bytesOf(own);
    }
  }
  const sum = (tensors: readonly TensorType[]): number => tensors.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const results = program.outputs.filter((_, i) => !held.has(i) && !direct.includes(i));
  const intoArrays = program.outputs.filter((_, i) => held.has(i));
  return { inputs: sum(program.inputs), constants, between, results: sum(results), held: sum(intoArrays) };
}

function bytesOf({ dtype, shape, parts }: TensorType): number {
  if (parts) return parts.reduce((total, part) => total + bytesOf(part), 0);
  return sizeOf(shape) * (dtype === 'bool' ? 1 : 4);
}
