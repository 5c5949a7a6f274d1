import { invalidInput } from '@crucible/foundation';
import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';
import { add, less, mul, where } from './elementwise.ts';
import { matmul } from './linalg.ts';
import { concat, reshape, sliceAxis } from './movement.ts';
import { softmax } from './reduction.ts';

/** What a masked score gets: far below any real one, and still finite. */
export const maskedScore = -1e9;

/** Queries that are worked on together: their scores fit the caches, and what lies after all of them is left out. */
const defaultBlock = 128;

export interface CausalAttentionOptions {
  /** Queries a block. Default: 128. */
  readonly block?: number;
  /** Keys that come before that of the first query, and which every query may see. Default: 0. */
  readonly earlier?: number;
}

/** 0 where query i may see key j ≤ i, far below where not: [time, time]. */
export function causalMask(graph: Graph, time: number): Tensor {
  const mask = Float32Array.from({ length: time * time }, (_, i) =>
    i % time > Math.floor(i / time) ? maskedScore : 0,
  );
  return graph.constant('float32', [time, time], mask);
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017) in which no query sees a later key: queries [b, h, t, d] over keys
 * and values [b, kv, earlier + t, d] → [b, h, t, d]. `mask` is added to the scores and broadcasts to [b, h, t, earlier + t];
 * it must hide what is later, as `causalMask` does, and may hide more. Queries that share keys (h > kv; Ainslie et al. 2023) are one
 * product with them, keys are never repeated.
 *
 * Block by block of queries, each over the keys up to its end: the scores beyond, whose weights are 0, are not made.
 */
export function causalAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  mask: Tensor,
  { block = defaultBlock, earlier = 0 }: CausalAttentionOptions = {},
): Tensor {
  const time = queries.shape[2]!;
  const blocks: Tensor[] = [];
  for (let start = 0; start < time; start += block) {
    const end = Math.min(start + block, time);
    const visible = (x: Tensor): Tensor => sliceAxis(x, 2, 0, earlier + end);
    const maskRows = sliceAxis(sliceAxis(mask, -2, start, end), -1, 0, earlier + end);
    blocks.push(attention(sliceAxis(queries, 2, start, end), visible(keys), visible(values), maskRows));
  }
  return blocks.length === 1 ? blocks[0]! : concat(blocks, 2);
}

function attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor): Tensor {
  const [batch, heads, rows, size] = queries.shape as [number, number, number, number];
  const [, groups, columns] = keys.shape as [number, number, number];
  const grouped = [batch, groups, (heads / groups) * rows] as const;
  const scores = matmul(reshape(queries, [...grouped, size]), keys, { transposeB: true, alpha: 1 / Math.sqrt(size) });
  const weights = softmax(add(reshape(scores, [batch, heads, rows, columns]), mask));
  return reshape(matmul(reshape(weights, [...grouped, columns]), values), queries.shape);
}

/**
 * 0 where position j of a row's cache is filled, j < lengths[row], far below where not: lengths int32 [b] →
 * [b, 1, 1, capacity].
 */
export function cacheMask(lengths: Tensor, capacity: number): Tensor {
  const positions = Int32Array.from({ length: capacity }, (_, j) => j);
  const filled = less(
    lengths.graph.constant('int32', [1, 1, 1, capacity], positions),
    reshape(lengths, [lengths.shape[0]!, 1, 1, 1]),
  );
  return where(filled, 0, maskedScore);
}

export interface AttentionCache {
  /** [b, kv, capacity, d]; what `mask` hides may be any finite numbers. */
  readonly keys: Tensor;
  /** [b, kv, capacity, d] */
  readonly values: Tensor;
  /** See `cacheMask`. */
  readonly mask: Tensor;
}

/**
 * Attention of one new position a row over those in a cache and itself: query [b, 1, h · d], its own key and value
 * [b, 1, kv · d] → [b, 1, h · d]. The new position's part is worked out beside the cache's, so that the cache is read in
 * place: ONNX Runtime's own decoding kernel copies all of it at every step, which takes twice as long.
 */
export function cachedAttention(query: Tensor, key: Tensor, value: Tensor, cache: AttentionCache): Tensor {
  const [batch, groups, capacity, size] = cache.keys.shape as [number, number, number, number];
  const width = query.shape[2]!;
  if (width % (groups * size) !== 0) {
    throw invalidInput(
      `cachedAttention: a query of ${width} does not divide over ${groups} key-value heads of ${size}`,
    );
  }
  const queries = reshape(query, [batch, groups, width / (groups * size), size]);
  const scoresOf = (keys: Tensor): Tensor => matmul(queries, keys, { transposeB: true, alpha: 1 / Math.sqrt(size) });
  const own = (x: Tensor): Tensor => reshape(x, [batch, groups, 1, size]);
  const weights = softmax(concat([add(scoresOf(cache.keys), cache.mask), scoresOf(own(key))], 3));
  const past = matmul(sliceAxis(weights, 3, 0, capacity), cache.values);
  return reshape(add(past, mul(sliceAxis(weights, 3, capacity, capacity + 1), own(value))), query.shape);
}
