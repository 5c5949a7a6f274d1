/** What the layers of all families are made of. */
import {
  add,
  customGradient,
  gather,
  matmul,
  matmulQuantized,
  mul,
  type QuantizedMatrix,
  reshape,
  sizeOf,
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
  return completed(x, affine, { byColumns: false });
}

/** x W + b for a weight [in, out], as GPT-2 keeps them. */
export function linearByColumns(x: Tensor, affine: Affine<Tensor>): Tensor {
  return completed(x, affine, { byColumns: true });
}

interface Layout {
  /** Whether the weight is [in, out]. */
  readonly byColumns: boolean;
}

function completed(x: Tensor, affine: Affine<Tensor>, layout: Layout): Tensor {
  const { weight, bias, lowRank, quantized, tap } = affine;
  tap?.(x);
  const shifted = (product: Tensor): Tensor => (bias ? add(product, bias) : product);
  if (lowRank && !quantized && isFolded(x, weight, lowRank)) return shifted(foldedProduct(x, weight, lowRank, layout));
  const product = quantized ? matmulQuantized(x, quantized) : matmul(x, weight, { transposeB: !layout.byColumns });
  return lowRank ? add(shifted(product), lowRankProduct(x, lowRank)) : shifted(product);
}

/** One for all rows, and of all that they are. */
interface FoldedLowRank extends LowRank {
  readonly scale: number;
}

/**
 * Whether the product of low rank is cheaper as a part of the weight than beside it: it is worked out for in · out
 * elements then, not for each row's in and out.
 */
function isFolded(x: Tensor, weight: Tensor, { scale, drop }: LowRank): boolean {
  if (typeof scale !== 'number' || drop) return false;
  const [m, n] = weight.shape as [number, number];
  return (sizeOf(x.shape) / x.shape.at(-1)!) * (m + n) >= m * n;
}

/**
 * x (W + scale · up down)ᵀ. Its gradient by the factors goes by what they are multiplied with: that by the sum is as
 * large as W, and would take a third product of its size.
 */
function foldedProduct(x: Tensor, weight: Tensor, lowRank: LowRank, { byColumns }: Layout): Tensor {
  const { down, up, scale: alpha } = lowRank as FoldedLowRank;
  const size = x.shape.at(-1)!;
  const folded = add(
    weight,
    byColumns ? matmul(down, up, { transposeA: true, transposeB: true, alpha }) : matmul(up, down, { alpha }),
  );
  const product = customGradient(
    (operands: { readonly rows: Tensor; readonly weight: Tensor; readonly down: Tensor; readonly up: Tensor }) =>
      matmul(operands.rows, folded, { transposeB: !byColumns }),
    (dy, { operands: { rows, down, up } }) => ({
      rows: matmul(dy, folded, { transposeB: byColumns }),
      weight: byColumns ? matmul(rows, dy, { transposeA: true }) : matmul(dy, rows, { transposeA: true }),
      down: matmul(matmul(dy, up, { alpha }), rows, { transposeA: true }),
      up: matmul(dy, matmul(rows, down, { transposeB: true, alpha }), { transposeA: true }),
    }),
  )({ rows: reshape(x, [-1, size]), weight, down, up });
  return reshape(product, [...x.shape.slice(0, -1), product.shape[1]!]);
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
