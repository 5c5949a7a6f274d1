import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { matmul } from '../library/linalg.ts';
import { add, mul } from '../library/elementwise.ts';
import { pad, reshape, transpose } from '../library/movement.ts';
import { shapesEqual } from '../shape.ts';
import { filledWith, isScalar } from './simplify.ts';
import type { RewriteRule } from './rewrite.ts';

/** Scalings and transpositions around a matrix product become its parameters, which cost nothing. */
export const fuseMatmul: RewriteRule = (tensor, uses) => {
  if (isPrimitive(tensor, 'mul')) {
    // (α A B) c = (α c) A B
    const [product, constant] = tensor.inputs as [Tensor, Tensor];
    const factor = isScalar(constant) ? filledWith(constant) : undefined;
    if (factor === undefined || !isPrimitive(product, 'matmul') || uses(product) > 1) return undefined;
    const { params } = product;
    return tensor.graph.node('matmul', product.inputs, { ...params, alpha: params.alpha * factor });
  }
  if (!isPrimitive(tensor, 'matmul')) return undefined;
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  const { transposeA, transposeB, alpha } = tensor.params;
  // A (B c) = c A B
  for (const [x, rebuild] of [
    [a, (inner: Tensor) => [inner, b]],
    [b, (inner: Tensor) => [a, inner]],
  ] as const) {
    const factor = isPrimitive(x, 'mul') && isScalar(x.inputs[1]!) ? filledWith(x.inputs[1]!) : undefined;
    if (factor !== undefined) {
      return tensor.graph.node('matmul', rebuild(x.inputs[0]!), { transposeA, transposeB, alpha: alpha * factor });
    }
  }
  if (swapsLastTwo(a)) return matmul(a.inputs[0]!, b, { transposeA: !transposeA, transposeB, alpha });
  if (swapsLastTwo(b)) return matmul(a, b.inputs[0]!, { transposeA, transposeB: !transposeB, alpha });
  return undefined;
};

/**
 * Aᵀ B = (Bᵀ A)ᵀ: the kernel copies what it transposes, so it is to be the smaller operand. In attention's gradient by
 * keys and values B is [queries, size of a head] and A [queries, keys].
 *
 * The kernel for two axes goes over all of B for each few rows of the result, and lays it out for that beforehand: where
 * there are a few rows alone, as in the gradient by LoRA's first factor, that is most of the work, and A is to be the
 * larger operand.
 */
export const transposeSmaller: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'matmul')) return undefined;
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  const { transposeA, transposeB, alpha } = tensor.params;
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  if (!transposeA || transposeB) return undefined;
  const isDue = tensor.rank > 2 ? rows >= 2 * columns : rows > 1 && rows <= fewRows && columns >= 8 * rows;
  return isDue ? swapLastTwo(matmul(b, a, { transposeA: true, alpha })) : undefined;
};

/** Of a product: fewer than the kernel works on at once. */
const fewRows = 16;

/** Moves the transpositions that `transposeSmaller` leaves behind sums and pads, to where they meet others. */
export const sinkTranspose: RewriteRule = (tensor, uses) => {
  const [x, y] = tensor.inputs as [Tensor, Tensor];
  const sinks = (operand: Tensor): operand is Tensor<'transpose'> => swapsLastTwo(operand) && uses(operand) === 1;
  if (isPrimitive(tensor, 'pad') && tensor.inputs.length === 1 && sinks(x)) {
    const { before, after } = tensor.params;
    const swapped = (sizes: readonly number[]): number[] => x.params.permutation.map((axis) => sizes[axis]!);
    return swapLastTwo(pad(x.inputs[0]!, swapped(before), swapped(after)));
  }
  if (isPrimitive(tensor, 'add') && sinks(x) && sinks(y) && shapesEqual(x.shape, y.shape))
    return swapLastTwo(add(x.inputs[0]!, y.inputs[0]!));
  return undefined;
};

function swapLastTwo(x: Tensor): Tensor {
  const axes = x.shape.map((_size, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

function swapsLastTwo(tensor: Tensor): tensor is Tensor<'transpose'> {
  if (!isPrimitive(tensor, 'transpose') || tensor.rank < 2) return false;
  const last = tensor.rank - 1;
  return tensor.params.permutation.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
}

/**
 * diag(s) X B = diag(s) (X B) and Xᵀ diag(s) H = Xᵀ (diag(s) H): a scaling of rows moves from the larger tensor to the
 * smaller. The gradient of a cross-entropy then scales [rows, width] instead of [rows, vocabulary].
 */
export const moveRowScale: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'matmul') || tensor.rank !== 2) return undefined;
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = tensor.params;
  const scaled = rowScaled(a);
  if (!scaled || uses(a) > 2) return undefined;
  const [scale, x] = scaled;
  if (!transposeA) {
    if (tensor.shape[1]! >= x.shape[1]!) return undefined;
    return mul(tensor.graph.node('matmul', [x, b], tensor.params), scale);
  }
  if (transposeB || b.shape[1]! >= x.shape[1]!) return undefined;
  return tensor.graph.node('matmul', [x, mul(b, scale)], tensor.params);
};

/** The parts of x · s with s [rows, 1] and x [rows, columns]. */
function rowScaled(tensor: Tensor): [scale: Tensor, x: Tensor] | undefined {
  if (!isPrimitive(tensor, 'mul')) return undefined;
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  for (const [x, scale] of [
    [a, b],
    [b, a],
  ] as const) {
    if (scale.rank === 2 && scale.shape[1] === 1 && scale.shape[0] === x.shape[0] && x.shape[1] !== 1)
      return [scale, x];
  }
  return undefined;
}

/** A B + c in one kernel: a bias costs no pass of its own. `c` must be smaller than the product. */
export const fuseBias: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'add')) return undefined;
  const [left, right] = tensor.inputs as [Tensor, Tensor];
  for (const [x, bias] of [
    [left, right],
    [right, left],
  ] as const) {
    // A product of more than two axes is a matrix product with its rows reshaped.
    const product = isPrimitive(x, 'reshape') ? x.inputs[0]! : x;
    if (!isPrimitive(product, 'matmul') || product.rank !== 2 || product.inputs.some((input) => input.rank !== 2))
      continue;
    if (uses(x) > 1 || uses(product) > 1 || bias.rank !== 1 || bias.shape[0] !== product.shape[1]) continue;
    const fused = tensor.graph.node('matmulAdd', [...product.inputs, bias], product.params);
    return reshape(fused, tensor.shape);
  }
  return undefined;
};

/** (A B + b) c = c A B + b c: a pass over the product becomes one over the bias. */
export const scaleBias: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'mul')) return undefined;
  const [x, constant] = tensor.inputs as [Tensor, Tensor];
  const factor = isScalar(constant) ? filledWith(constant) : undefined;
  const product = isPrimitive(x, 'reshape') ? x.inputs[0]! : x;
  if (factor === undefined || !isPrimitive(product, 'matmulAdd') || uses(x) > 1 || uses(product) > 1) return undefined;
  const [a, b, bias] = product.inputs as [Tensor, Tensor, Tensor];
  const alpha = product.params.alpha * factor;
  return reshape(tensor.graph.node('matmulAdd', [a, b, mul(bias, factor)], { ...product.params, alpha }), tensor.shape);
};
