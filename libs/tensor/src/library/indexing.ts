import type { Tensor } from '../ir/tensor.ts';

/** Rows of `table` [n, ...rest] at `indices` (int32, any shape): [...indices.shape, ...rest]. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return table.graph.node('gather', [table, indices], {});
}

/** `base` [n, ...rest] with `updates` [...indices.shape, ...rest] added at its rows `indices`; repeated rows add up. */
export function scatterAdd(base: Tensor, indices: Tensor, updates: Tensor): Tensor {
  return base.graph.node('scatterAdd', [base, indices, updates], {});
}

/** Elements of `x` [..., n] at `indices` (int32 [..., k]) along the last axis: [..., k]. */
export function takeAlong(x: Tensor, indices: Tensor): Tensor {
  return x.graph.node('takeAlong', [x, indices], {});
}

/** `base` [..., n] with `updates` [..., k] added at `indices` (int32 [..., k]) along the last axis. */
export function scatterAlong(base: Tensor, indices: Tensor, updates: Tensor): Tensor {
  return base.graph.node('scatterAlong', [base, indices, updates], {});
}
