/**
 * Control flow within a program, and what tells the gradient how to go through a part of it. The functions that are
 * given run once, while the program is traced; they may use tensors from around them.
 */
import { invalidInput } from '@crucible/foundation';
import type { Program } from '../ir/graph.ts';
import { printType } from '../ir/print.ts';
import { closeProgram, type ClosedProgram, dependents } from '../ir/subprogram.ts';
import { isTensor, type Tensor, typesEqual } from '../ir/tensor.ts';
import { sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';
import { full, range, zerosLike } from './creation.ts';
import { reshape } from './movement.ts';

export interface ScanOptions {
  /** From the last element to the first; outputs stay beside the elements that they came of. Default: false. */
  readonly reverse?: boolean;
  /**
   * The gradient works out the inside of a step again instead of keeping it: the carry of every step is all that is
   * kept, for the price of each step once more. Default: false.
   */
  readonly recompute?: boolean;
}

/**
 * Goes through sequences element by element: `body` takes a carry and an element of each sequence (the leaves of
 * `sequences` [n, ...]) and gives the next carry, of the same types, and an output. The result has the last carry and
 * the outputs of all steps [n, ...].
 */
export function scan<C, X, Y = null>(
  body: (carry: C, element: X) => { readonly carry: C; readonly output?: Y },
  carry: C,
  sequences: X,
  { reverse = false, recompute = false }: ScanOptions = {},
): { carry: C; outputs: Y } {
  const initial = tensorsOf(carry);
  const rows = tensorsOf(sequences);
  const [first] = rows;
  if (!first) throw invalidInput('scan: there is no sequence; use loop for a number of steps');
  const length = first.leaf.shape[0];
  for (const { path, leaf } of rows) {
    if (leaf.rank === 0 || leaf.shape[0] !== length) {
      throw invalidInput(`scan: the sequence ${path} is ${printType(leaf)}, not ${length ?? 'a number of'} elements`);
    }
  }
  const { graph } = first.leaf;
  const elements = rows.map(({ leaf }) => ({ shape: leaf.shape.slice(1), dtype: leaf.dtype }));
  const placeholders = [...initial.map(({ leaf }) => leaf), ...elements].map((type) => graph.placeholder(type));
  const stepped = body(refill(carry, placeholders), refill(sequences, placeholders.slice(initial.length)));
  const next = sameForm(initial, stepped.carry, 'scan: the next carry');
  const outputTree = stepped.output ?? null;
  const outputs = outputTree === null ? [] : tensorsOf(outputTree).map(({ leaf }) => leaf);
  if (length === 0) {
    const none = outputs.map(({ shape, dtype }) => full(graph, [0, ...shape], 0, dtype));
    return { carry, outputs: refill(outputTree, none) as Y };
  }
  const inside = dependents([...next, ...outputs], placeholders);
  const { program, captured } = closeProgram([...next, ...outputs], placeholders, (tensor) => inside.has(tensor));
  const inputs = [...initial, ...rows].map(({ leaf }) => leaf);
  const parts = partsOf(
    graph.node('scan', [...inputs, ...captured], {
      body: program,
      carries: initial.length,
      sequences: rows.length,
      length: length!,
      reverse,
      recompute,
    }),
  );
  return { carry: refill(carry, parts), outputs: refill(outputTree, parts.slice(initial.length)) as Y };
}

/** `body` applied to a carry `n` times; it also gets the number of the step, int32 [] from 0. */
export function loop<C>(
  n: number,
  body: (carry: C, step: Tensor) => C,
  carry: C,
  options: Pick<ScanOptions, 'recompute'> = {},
): C {
  if (!Number.isInteger(n) || n < 0) throw invalidInput(`loop: ${n} is no number of steps`);
  const [first] = tensorsOf(carry);
  if (!first) throw invalidInput('loop: the carry has no tensor');
  const steps = range(first.leaf.graph, n);
  return scan((now: C, step: Tensor) => ({ carry: body(now, step) }), carry, steps, options).carry;
}

/**
 * `body` applied to a carry for as long as `condition` of it (bool []) is true. How often is known only when the program
 * runs, so it has no gradient.
 */
export function whileLoop<C>(condition: (carry: C) => Tensor, body: (carry: C) => C, carry: C): C {
  const initial = tensorsOf(carry);
  const graph = initial[0]?.leaf.graph;
  if (!graph) throw invalidInput('whileLoop: the carry has no tensor');
  const placeholders = initial.map(({ leaf }) => graph.placeholder(leaf));
  const goOn = asPredicate(condition(refill(carry, placeholders)), 'whileLoop: the condition');
  const next = sameForm(initial, body(refill(carry, placeholders)), 'whileLoop: the next carry');
  const inside = dependents([goOn, ...next], placeholders);
  const close = (outputs: readonly Tensor[]) => closeProgram(outputs, placeholders, (tensor) => inside.has(tensor));
  const { programs, captured } = sameCaptured([close([goOn]), close(next)], placeholders.length);
  const node = graph.node('whileLoop', [...initial.map(({ leaf }) => leaf), ...captured], {
    condition: programs[0]!,
    body: programs[1]!,
    carries: initial.length,
  });
  return refill(carry, partsOf(node));
}

/**
 * One of two functions, chosen when the program runs by `predicate` (bool []): only the one that is taken does its
 * work, and so does its gradient, which works out again what it needs of it. Both give a tree of the same form and types.
 * Where both are cheap, `where` is faster.
 */
export function cond<T>(predicate: Tensor, then: () => T, otherwise: () => T): T {
  const chosen = asPredicate(predicate, 'cond: the predicate');
  const start = chosen.graph.nextId;
  const [tree, other] = [then(), otherwise()];
  const results = tensorsOf(tree);
  const others = sameForm(results, other, 'cond: the other result');
  if (results.length === 0) throw invalidInput('cond: the result has no tensor');
  const close = (outputs: readonly Tensor[]) => closeProgram(outputs, [], (tensor) => tensor.id >= start);
  const { programs, captured } = sameCaptured([close(results.map(({ leaf }) => leaf)), close(others)], 0);
  const params = { then: programs[0]!, otherwise: programs[1]! };
  return refill(tree, partsOf(chosen.graph.node('branch', [chosen, ...captured], params)));
}

/**
 * A function whose inside the gradient works out again instead of keeping it (Chen et al. 2016): of its work only the
 * arguments and results stay in memory. For the price of doing it twice; mark the layers of a model, say.
 */
export function checkpoint<A extends readonly unknown[], R>(f: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const given: Tensor[] = [];
    const placeholders: Tensor[] = [];
    let start = Infinity;
    const hidden = mapTensors(args, (tensor) => {
      start = Math.min(start, tensor.graph.nextId);
      given.push(tensor);
      placeholders.push(tensor.graph.placeholder(tensor));
      return placeholders.at(-1)!;
    });
    if (given.length === 0) throw invalidInput('checkpoint: the arguments have no tensor');
    const tree = f(...(hidden as A));
    const results = tensorsOf(tree).map(({ leaf }) => leaf);
    if (results.length === 0) throw invalidInput('checkpoint: the result has no tensor');
    const { program, captured } = closeProgram(results, placeholders, (tensor) => tensor.id >= start);
    const node = given[0]!.graph.node('checkpoint', [...given, ...captured], { body: program });
    return refill(tree, partsOf(node));
  };
}

/**
 * A function with a gradient of your own. `backward` gets the gradient by each float32 leaf of the results (a tree of
 * their form; zeros for other leaves), the operands and the results, and gives the gradient by each float32 leaf of the
 * operands, `undefined` for none. What else `f` uses counts as constant.
 */
export function customGradient<X, Y>(
  f: (operands: X) => Y,
  backward: (gradients: Y, context: { readonly operands: X; readonly results: Y }) => PartialTree<X>,
): (operands: X) => Y {
  return (operands) => {
    const results = f(operands);
    const [from, to] = [tensorsOf(operands), tensorsOf(results)];
    const graph = to[0]?.leaf.graph;
    if (!graph) throw invalidInput('customGradient: the results have no tensor');
    const placeholders: Tensor[] = [];
    const gradients = to.map(({ leaf }) => {
      if (leaf.dtype !== 'float32') return zerosLike(leaf);
      placeholders.push(graph.placeholder(leaf));
      return placeholders.at(-1)!;
    });
    const given = backward(refill(results, gradients), { operands, results });
    const found = gradientsOf(given, from);
    const inside = dependents(found, placeholders);
    const { program, captured } = closeProgram(found, placeholders, (tensor) => inside.has(tensor));
    const inputs = [...to, ...from].map(({ leaf }) => leaf);
    const params = { results: to.length, operands: from.length, backward: program };
    return refill(results, partsOf(graph.node('customGradient', [...inputs, ...captured], params)));
  };
}

/** The gradient by each float32 operand, zero where the tree has none. */
function gradientsOf(tree: unknown, operands: Leaves): Tensor[] {
  const isGiven = (value: unknown): value is Tensor | undefined => value === undefined || isTensor(value);
  const given = new Map(flatten(tree, isGiven).map(({ path, leaf }) => [path, leaf]));
  const floats = operands.filter(({ leaf }) => leaf.dtype === 'float32');
  const wrong = (path: string, by: Tensor, what: string): never => {
    const operand = path === '' ? 'the operand' : path;
    throw invalidInput(`customGradient: the gradient by ${operand} is ${printType(by)}, ${what}`);
  };
  for (const [path, by] of given) {
    if (by && !floats.some((operand) => operand.path === path)) wrong(path, by, 'but it is no float32 operand');
  }
  return floats.map(({ path, leaf }) => {
    const by = given.get(path) ?? zerosLike(leaf);
    return typesEqual(by, leaf) ? by : wrong(path, by, `not ${printType(leaf)}`);
  });
}

/** A tree of the same form in which any leaf may be missing. */
export type PartialTree<T> = TreeLike<T, Tensor, Tensor | undefined>;

type Leaves = readonly { readonly path: string; readonly leaf: Tensor }[];

function tensorsOf(tree: unknown): Leaves {
  return flatten(tree, isTensor);
}

/** The tree with its leaves replaced, in their order. */
function refill<T>(tree: T, leaves: readonly Tensor[]): T {
  let next = 0;
  return (tree === null ? null : mapTree(tree, isTensor, () => leaves[next++]!)) as T;
}

/** The leaves of a tree that is to have the paths and types of another, in the order of that one. */
function sameForm(expected: Leaves, tree: unknown, what: string): Tensor[] {
  const found = new Map(tensorsOf(tree).map(({ path, leaf }) => [path, leaf]));
  const named = (path: string): string => (path === '' ? what : `${what} ${path}`);
  const leaves = expected.map(({ path, leaf }) => {
    const other = found.get(path);
    found.delete(path);
    if (!other) throw invalidInput(`${named(path)} is missing`);
    if (!typesEqual(leaf, other)) throw invalidInput(`${named(path)} is ${printType(other)}, not ${printType(leaf)}`);
    return other;
  });
  for (const path of found.keys()) throw invalidInput(`${named(path)} is too many`);
  return leaves;
}

/** Applies a change to the tensors in a value of any form; other values stay. */
function mapTensors(value: unknown, change: (tensor: Tensor) => Tensor): unknown {
  if (isTensor(value)) return change(value);
  if (Array.isArray(value)) return value.map((child) => mapTensors(child, change));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, mapTensors(child, change)]));
}

function asPredicate(tensor: Tensor, what: string): Tensor {
  if (tensor.dtype !== 'bool' || sizeOf(tensor.shape) !== 1) {
    throw invalidInput(`${what} is ${printType(tensor)}, not one bool`);
  }
  return reshape(tensor, []);
}

function partsOf(node: Tensor): Tensor[] {
  return node.parts!.map((_type, index) => node.graph.node('part', [node], { index }));
}

/** Programs that all take what any of them captures. The first inputs, `fixed` of them, are theirs in any case. */
function sameCaptured(closed: readonly ClosedProgram[], fixed: number): { programs: Program[]; captured: Tensor[] } {
  const captured = [...new Set(closed.flatMap((one) => one.captured))];
  const programs = closed.map(({ program: { inputs, outputs }, captured: own }) => {
    const graph = outputs[0]!.graph;
    const taken = captured.map((tensor, i) => {
      const at = own.indexOf(tensor);
      return at === -1 ? graph.input(`u${i}`, tensor.shape, tensor.dtype) : inputs[fixed + at]!;
    });
    return { inputs: [...inputs.slice(0, fixed), ...taken], outputs };
  });
  return { programs, captured };
}
