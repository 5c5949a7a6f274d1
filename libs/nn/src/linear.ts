/** What the layers of all families are made of. */
import {
  add,
  gather,
  matmul,
  matmulQuantized,
  mul,
  type QuantizedMatrix,
  reshape,
  type Tensor,
  transpose,
} from '@crucible/tensor';
import type { TokensAt } from './decoder-family.ts';

export interface Weight<Leaf> {
  readonly weight: Leaf;
}

/** A scale, or a matrix [out, in], with a bias where it has one. */
export interface Affine<Leaf> extends Weight<Leaf> {
  readonly bias?: Leaf;
  /** What an adapter adds to the product: see `withLora`. */
  readonly lowRank?: LowRank;
  /** In the place of the weight, which is then not there: see `withQuantized`. */
  readonly quantized?: QuantizedMatrix;
  /** Is told what the weight is multiplied with. */
  readonly tap?: (x: Tensor) => void;
}

/** x → scale · (x downᵀ) upᵀ: a matrix of low rank (Hu et al. 2021). */
export interface LowRank {
  /** [rank, in] */
  readonly down: Tensor;
  /** [out, rank] */
  readonly up: Tensor;
  /** One for all, or what broadcasts to [..., rank]: each row's own. */
  readonly scale: number | Tensor;
  /** In training, what of x it sees. */
  readonly drop?: (x: Tensor) => Tensor;
}

/** x Wᵀ + b for a weight [out, in]. */
export function linear(x: Tensor, affine: Affine<Tensor>): Tensor {
  return completed(x, affine, () => matmul(x, affine.weight, { transposeB: true }));
}

/** x W + b for a weight [in, out], as GPT-2 keeps them. */
export function linearByColumns(x: Tensor, affine: Affine<Tensor>): Tensor {
  return completed(x, affine, () => matmul(x, affine.weight));
}

function completed(x: Tensor, { bias, lowRank, quantized, tap }: Affine<Tensor>, multiply: () => Tensor): Tensor {
  tap?.(x);
  const product = quantized ? matmulQuantized(x, quantized) : multiply();
  const shifted = bias ? add(product, bias) : product;
  return lowRank ? add(shifted, lowRankProduct(x, lowRank)) : shifted;
}

function lowRankProduct(x: Tensor, lowRank: LowRank): Tensor {
  return matmul(lowRankRows(x, lowRank), lowRank.up, { transposeB: true });
}

/** scale · x downᵀ: [..., rank]. */
export function lowRankRows(x: Tensor, { down, scale, drop = (all) => all }: LowRank): Tensor {
  const isNumber = typeof scale === 'number';
  const rows = matmul(drop(x), down, { transposeB: true, ...(isNumber && { alpha: scale }) });
  return isNumber ? rows : mul(rows, scale);
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

/** What the body begins with: the rows of a table [vocabulary, width], or what is given in their place. */
export function embedded(table: Tensor, tokens: TokensAt['tokens']): Tensor {
  return 'ids' in tokens ? gather(table, tokens.ids) : tokens.embeddings;
}
