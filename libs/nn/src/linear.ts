/** What the layers of all families are made of. */
import { add, matmul, reshape, type Tensor, transpose } from '@crucible/tensor';

export interface Weight<Leaf> {
  readonly weight: Leaf;
}

/** A scale, or a matrix [out, in], with a bias where it has one. */
export interface Affine<Leaf> extends Weight<Leaf> {
  readonly bias?: Leaf;
}

/** x Wᵀ + b for a weight [out, in]. */
export function linear(x: Tensor, { weight, bias }: Affine<Tensor>): Tensor {
  const product = matmul(x, weight, { transposeB: true });
  return bias ? add(product, bias) : product;
}

/** x W + b for a weight [in, out], as GPT-2 keeps them. */
export function linearByColumns(x: Tensor, { weight, bias }: Affine<Tensor>): Tensor {
  const product = matmul(x, weight);
  return bias ? add(product, bias) : product;
}

/** [batch, time, heads · size] → [batch, heads, time, size]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, time, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, time, size] → [batch, time, heads · size]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, time, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}
