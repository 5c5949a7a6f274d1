/**
 * Rows of a multiple of 4 KiB all begin in the same set of the first-level cache, which holds eight of the twelve that
 * a kernel of the matrix product reads at once: it then runs at two thirds of its speed. This pass makes such matrices
 * one cache line wider where they are made, by a product with a padded weight, and leaves the extra columns out where
 * they are used, by a product with a weight of zero rows. In between lie only elementwise operations.
 *
 * A widened matrix is written as the slice of it that has the old width, and the slice moves down to the users.
 */
import { countUses, type Program, topologicalOrder } from '../ir/graph.ts';
import type { OneResult, Primitive } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { pad, reshape, sliceAxis } from '../library/movement.ts';
import { ndArray } from '../nd-array.ts';
import { evaluatePrimitive } from '../reference/evaluate.ts';
import { sizeOf } from '../shape.ts';
import { firstOf, type RewriteRule, rewriteToFixpoint } from './rewrite.ts';
import { filledWith } from './simplify.ts';

/** In float32 elements. */
const aliasedWidth = 1024;
const cacheLine = 16;

/** A copied element costs about as much as so many multiplications, of which a product of aliased rows wastes a quarter. */
const copyCost = 64;
const wasted = 1 / 4;

type Product = Tensor<'matmul'> | Tensor<'matmulAdd'>;

export function padRows(program: Program): RewriteRule {
  const victims = topologicalOrder(program.outputs).filter(readsAliasedRows);
  const rules: RewriteRule[] = [];
  for (const width of new Set(victims.map((product) => lastSize(product.inputs[0]!)))) {
    const rule = firstOf(sinkSlice(width), widen(width));
    const widened = rewriteToFixpoint(program, rule);
    const saved = wasted * (multiplications(program, width) - multiplications(widened, width));
    if (saved > copyCost * (copies(widened) - copies(program))) rules.push(rule);
  }
  return firstOf(...rules);
}

function isProduct(tensor: Tensor): tensor is Product {
  return (isPrimitive(tensor, 'matmul') || isPrimitive(tensor, 'matmulAdd')) && tensor.inputs[1]!.rank === 2;
}

function readsAliasedRows(tensor: Tensor): tensor is Product {
  if (!isProduct(tensor) || tensor.params.transposeA) return false;
  const [a] = tensor.inputs as [Tensor];
  return a.rank === 2 && lastSize(a) % aliasedWidth === 0;
}

/** Multiplications of the products that read rows of a width. */
function multiplications(program: Program, width: number): number {
  const products = topologicalOrder(program.outputs).filter(readsAliasedRows);
  return products
    .filter((product) => lastSize(product.inputs[0]!) === width)
    .reduce((total, product) => total + sizeOf(product.inputs[0]!.shape) * lastSize(product), 0);
}

/** Elements that slices and pads copy. */
function copies(program: Program): number {
  return [...countUses(program.outputs).keys()]
    .filter((tensor) => isPrimitive(tensor, 'slice') || isPrimitive(tensor, 'pad'))
    .reduce((total, tensor) => total + sizeOf(tensor.shape), 0);
}

/** Widens the products that make rows of a width. Gradients of weights, which have transposeA, are small: not them. */
function widen(width: number): RewriteRule {
  return (tensor) => {
    if (!isProduct(tensor) || tensor.params.transposeA || lastSize(tensor) !== width) return undefined;
    const [a, b, ...bias] = tensor.inputs as [Tensor, Tensor, ...Tensor[]];
    const inputs = [a, padAxis(b, tensor.params.transposeB ? 0 : 1), ...bias.map((c) => padAxis(c, c.rank - 1))];
    return narrow(tensor.graph.node(tensor.primitive, inputs, tensor.params), tensor.rank - 1);
  };
}

function padAxis(x: Tensor, axis: number): Tensor {
  const none = x.shape.map(() => 0);
  return pad(x, none, none.with(axis, cacheLine));
}

function narrow(x: Tensor, axis: number): Tensor {
  return sliceAxis(x, axis, 0, x.shape[axis]! - cacheLine);
}

/** Moves the slice of a widened tensor from an operation's operands to its result, or drops it. */
function sinkSlice(width: number): RewriteRule {
  const widened = (tensor: Tensor): Tensor | undefined => {
    if (!isPrimitive(tensor, 'slice') || lastSize(tensor) !== width) return undefined;
    const [x] = tensor.inputs as [Tensor];
    return narrow(x, x.rank - 1) === tensor ? x : undefined;
  };
  return (tensor) => {
    if (isProduct(tensor)) return sinkIntoProduct(tensor, widened);
    const wide = tensor.inputs.map(widened);
    const [x] = wide;
    if (isPrimitive(tensor, 'reshape')) {
      if (!x || lastSize(tensor) !== width) return undefined;
      return narrow(reshape(x, tensor.shape.with(-1, lastSize(x))), tensor.rank - 1);
    }
    if (isPrimitive(tensor, 'sum')) {
      if (!x || tensor.params.axes.includes(x.rank - 1)) return undefined;
      const sum = tensor.graph.node('sum', [x], tensor.params);
      return narrow(sum, sum.rank - 1);
    }
    if (!elementwise.has(tensor.primitive) || !wide.some((input) => input !== undefined)) return undefined;
    const fits = tensor.inputs.every((input, i) => wide[i] ?? (input.rank === 0 || lastSize(input) === 1));
    if (!fits) return undefined;
    const result = tensor.graph.node(
      tensor.primitive,
      tensor.inputs.map((input, i) => wide[i] ?? input),
      tensor.params,
    );
    return narrow(result, result.rank - 1);
  };
}

function sinkIntoProduct(product: Product, widened: (tensor: Tensor) => Tensor | undefined): Tensor | undefined {
  const { transposeA, transposeB } = product.params;
  const [a, b, ...bias] = product.inputs as [Tensor, Tensor, ...Tensor[]];
  const rebuild = (left: Tensor, right: Tensor): Tensor =>
    product.graph.node(product.primitive, [left, right, ...bias], product.params);
  const [left, right] = [widened(a), widened(b)];
  if (left && !transposeA) {
    // Over the extra columns the product is of their fill and zeros
    const fill = fillOf(left);
    return fill !== undefined && Number.isFinite(fill) ? rebuild(left, padAxis(b, transposeB ? 1 : 0)) : undefined;
  }
  if (bias.length > 0) return undefined;
  if (left) return narrow(rebuild(left, b), 0);
  return right && !transposeB ? narrow(rebuild(a, right), 1) : undefined;
}

/** The one value that the extra columns of a widened tensor hold, if that is known. */
function fillOf(tensor: Tensor): number | undefined {
  if (isProduct(tensor)) {
    const [, b, ...bias] = tensor.inputs as [Tensor, Tensor, ...Tensor[]];
    return [b, ...bias].every((operand) => isPrimitive(operand, 'pad') && operand.inputs.length === 1) ? 0 : undefined;
  }
  if (isPrimitive(tensor, 'reshape')) return fillOf(tensor.inputs[0]!);
  if (!elementwise.has(tensor.primitive)) return filledWith(tensor);
  const fills = tensor.inputs.map(fillOf);
  if (!fills.every((fill) => fill !== undefined)) return undefined;
  const scalars = fills.map((fill) => ndArray('float32', [], Float32Array.of(fill)));
  return evaluatePrimitive(tensor.primitive as OneResult, scalars, tensor.params as never, {
    dtype: 'float32',
    shape: [],
  }).data[0];
}

function lastSize(tensor: Tensor): number {
  return tensor.shape.at(-1) ?? 1;
}

const elementwise: ReadonlySet<Primitive> = new Set<OneResult>([
  'neg',
  'abs',
  'exp',
  'log',
  'sqrt',
  'reciprocal',
  'tanh',
  'erf',
  'sigmoid',
  'silu',
  'gelu',
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
]);
