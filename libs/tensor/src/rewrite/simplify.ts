import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { add, mul, sub } from '../library/elementwise.ts';
import { broadcastTo, reshape, transpose } from '../library/movement.ts';
import { shapesEqual, sizeOf } from '../shape.ts';
import type { RewriteRule } from './rewrite.ts';

/** Algebra that removes work: neutral elements, double movements, constant factors that meet. */
export const simplify: RewriteRule = (tensor, uses) => {
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  switch (tensor.primitive) {
    case 'stopGradient':
      return a;
    case 'cast':
      return a.dtype === tensor.dtype ? a : undefined;
    case 'neg':
      return tensor.dtype === 'float32' ? mul(a, -1) : undefined;
    case 'add':
      if (isFilled(a, 0)) return sameType(tensor, b);
      if (isFilled(b, 0)) return sameType(tensor, a);
      return moveSign(tensor, a, b) ?? dropBroadcast(tensor, add);
    case 'sub':
      if (isFilled(b, 0)) return sameType(tensor, a);
      return dropBroadcast(tensor, sub);
    case 'mul':
      return simplifyProduct(tensor, a, b, uses);
    case 'div': {
      const divisor = filledWith(b);
      return tensor.dtype === 'float32' && divisor !== undefined ? mul(a, 1 / divisor) : undefined;
    }
    case 'reshape':
      if (shapesEqual(a.shape, tensor.shape)) return a;
      if (isPrimitive(a, 'broadcast') && filledWith(a) !== undefined)
        return broadcastTo(tensor.graph.scalar(filledWith(a)!), tensor.shape);
      // Constants travel outwards here, too
      if (isPrimitive(a, 'mul') && uses(a) === 1 && isScalar(a.inputs[1]!) && filledWith(a.inputs[1]!) !== undefined)
        return mul(reshape(a.inputs[0]!, tensor.shape), a.inputs[1]!);
      return isPrimitive(a, 'reshape') ? reshape(a.inputs[0]!, tensor.shape) : undefined;
    case 'transpose':
      return simplifyTranspose(tensor as Tensor<'transpose'>, a);
    case 'broadcast':
      if (shapesEqual(a.shape, tensor.shape)) return a;
      return isPrimitive(a, 'broadcast') ? broadcastTo(a.inputs[0]!, tensor.shape) : undefined;
    case 'sum':
      return simplifySum(tensor as Tensor<'sum'>, a);
    default:
      return undefined;
  }
};

function simplifyProduct(tensor: Tensor, a: Tensor, b: Tensor, uses: (tensor: Tensor) => number): Tensor | undefined {
  if (tensor.dtype !== 'float32') return undefined;
  if (isFilled(a, 1)) return sameType(tensor, b);
  if (isFilled(b, 1)) return sameType(tensor, a);
  if (isFilled(a, 0) || isFilled(b, 0)) return broadcastTo(tensor.graph.scalar(0), tensor.shape);
  const [constantA, constantB] = [filledWith(a), filledWith(b)];
  if (constantA !== undefined && constantB !== undefined)
    return broadcastTo(tensor.graph.scalar(constantA * constantB), tensor.shape);
  // Constants go to the right, and meet: (x c) d = x (c d)
  const [x, factor] = constantA === undefined ? [a, constantB] : [b, constantA];
  if (factor !== undefined) {
    if (isPrimitive(x, 'mul') && shapesEqual(x.shape, tensor.shape)) {
      const inner = filledWith(x.inputs[1]!);
      if (inner !== undefined) return mul(x.inputs[0]!, inner * factor);
    }
    if (shapesEqual(x.shape, tensor.shape)) return x === a && isScalar(b) ? undefined : mul(x, factor);
  } else {
    // (x c) y = (x y) c, so that constants travel outwards to where they are free
    for (const [left, right] of [
      [a, b],
      [b, a],
    ] as const) {
      const inner = isPrimitive(left, 'mul') ? filledWith(left.inputs[1]!) : undefined;
      // A smaller operand is scaled more cheaply than the product; one that has other users is scaled anyway.
      const isFree = sizeOf(left.shape) === sizeOf(tensor.shape) && uses(left) === 1;
      if (inner !== undefined && isFree) return mul(mul(left.inputs[0]!, right), inner);
    }
  }
  return dropBroadcast(tensor, mul);
}

/** x + (-1) y = x - y. */
function moveSign(tensor: Tensor, a: Tensor, b: Tensor): Tensor | undefined {
  if (tensor.dtype !== 'float32') return undefined;
  if (isPrimitive(b, 'mul') && isFilled(b.inputs[1]!, -1) && isScalar(b.inputs[1]!)) return sub(a, b.inputs[0]!);
  if (isPrimitive(a, 'mul') && isFilled(a.inputs[1]!, -1) && isScalar(a.inputs[1]!)) return sub(b, a.inputs[0]!);
  return undefined;
}

/** A broadcast before a broadcasting operation is needless when the other operand has the full shape. */
function dropBroadcast(tensor: Tensor, apply: (a: Tensor, b: Tensor) => Tensor): Tensor | undefined {
  const [a, b] = tensor.inputs as [Tensor, Tensor];
  if (isPrimitive(b, 'broadcast') && shapesEqual(a.shape, tensor.shape)) return apply(a, b.inputs[0]!);
  if (isPrimitive(a, 'broadcast') && shapesEqual(b.shape, tensor.shape)) return apply(a.inputs[0]!, b);
  return undefined;
}

function simplifyTranspose(tensor: Tensor<'transpose'>, a: Tensor): Tensor | undefined {
  const { permutation } = tensor.params;
  if (isPrimitive(a, 'transpose')) {
    return transpose(
      a.inputs[0]!,
      permutation.map((axis) => a.params.permutation[axis]!),
    );
  }
  if (permutation.every((axis, i) => axis === i)) return a;
  // Only axes of size 1 change places: the elements stay where they are.
  const moved = permutation.filter((axis) => tensor.inputs[0]!.shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? reshape(a, tensor.shape) : undefined;
}

function simplifySum(tensor: Tensor<'sum'>, a: Tensor): Tensor | undefined {
  const { axes, keepDims } = tensor.params;
  if (axes.length === 0) return a;
  if (axes.every((axis) => a.shape[axis] === 1)) return reshape(a, tensor.shape);
  // Σ (c x) = c Σ x
  if (isPrimitive(a, 'mul') && isScalar(a.inputs[1]!)) {
    const factor = filledWith(a.inputs[1]!);
    if (factor !== undefined) return mul(a.graph.node('sum', [a.inputs[0]!], { axes, keepDims }), factor);
  }
  if (isPrimitive(a, 'broadcast')) {
    const value = filledWith(a);
    const count = sizeOf(axes.map((axis) => a.shape[axis]!));
    if (value !== undefined) return broadcastTo(tensor.graph.scalar(value * count), tensor.shape);
  }
  return undefined;
}

/** The value that fills a constant or broadcast float32 tensor, if it is one value throughout. */
export function filledWith(tensor: Tensor): number | undefined {
  if (tensor.dtype !== 'float32') return undefined;
  if (isPrimitive(tensor, 'broadcast')) return filledWith(tensor.inputs[0]!);
  if (!isPrimitive(tensor, 'constant') || tensor.params.value.data.length !== 1) return undefined;
  return tensor.params.value.data[0];
}

export function isScalar(tensor: Tensor): boolean {
  return tensor.rank === 0;
}

function isFilled(tensor: Tensor, value: number): boolean {
  return filledWith(tensor) === value;
}

/** `x` in the place of `tensor`, where their shapes may differ by broadcasting. */
function sameType(tensor: Tensor, x: Tensor): Tensor {
  return broadcastTo(x, tensor.shape);
}
