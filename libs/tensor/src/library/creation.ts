/** Tensors that are made of nothing but their shape. A graph is that of any tensor at hand: `x.graph`. */
import type { DType } from '../dtype.ts';
import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Shape } from '../shape.ts';
import { add, cast, equal, lessOrEqual } from './elementwise.ts';
import { broadcastTo, reshape } from './movement.ts';

/** One value everywhere. It takes no memory until something needs it whole. */
export function full(graph: Graph, shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  return broadcastTo(graph.scalar(value, dtype), shape);
}

export function zerosLike(x: Tensor): Tensor {
  return full(x.graph, x.shape, 0, x.dtype);
}

export function onesLike(x: Tensor): Tensor {
  return full(x.graph, x.shape, 1, x.dtype);
}

/** 0, 1, … n - 1. */
export function range(graph: Graph, n: number, dtype: 'int32' | 'uint32' = 'int32'): Tensor {
  return graph.node('range', [], { length: n, dtype });
}

/** The identity matrix [n, n]. */
export function identityMatrix(graph: Graph, n: number): Tensor {
  return cast(equal(reshape(range(graph, n), [n, 1]), range(graph, n)), 'float32');
}

/**
 * bool [rows, columns], true on the diagonal and below it. `diagonal` moves the boundary: 1 adds the diagonal above, -1
 * takes the main one away. Default: 0.
 */
export function triangularMask(graph: Graph, rows: number, columns: number, { diagonal = 0 } = {}): Tensor {
  const last = reshape(add(range(graph, rows), diagonal), [rows, 1]);
  return lessOrEqual(range(graph, columns), last);
}
