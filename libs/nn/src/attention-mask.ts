/** What attention may look at. Masks are added to scores: 0 where a query may look, far below where not. */
import {
  add,
  broadcastTo,
  cast,
  causalMask,
  concat,
  equal,
  type Graph,
  less,
  maskedScore,
  maximum,
  mul,
  pad,
  reshape,
  sub,
  type Tensor,
  where,
} from '@crucible/tensor';
import type { DecoderInput } from './decoder-family.ts';

/** Hides later places, other segments and other branches. Broadcasts over heads: [time, time] or [batch, 1, time, time]. */
export function decoderMask({ ids, segments, branches }: DecoderInput): Tensor {
  const [batch, time] = ids.shape as [number, number];
  const mask = causalMask(ids.graph, time);
  if (!segments) return mask;
  const ofQueries = (numbers: Tensor): Tensor => reshape(numbers, [batch, 1, time, 1]);
  const ofKeys = (numbers: Tensor): Tensor => reshape(numbers, [batch, 1, 1, time]);
  const same = cast(equal(ofQueries(segments), ofKeys(segments)), 'float32');
  if (!branches) return add(mul(sub(1, same), maskedScore), mask);
  const sameBranch = cast(equal(ofQueries(branches), ofKeys(branches)), 'float32');
  const beginning = cast(equal(ofKeys(branches), 0), 'float32');
  return add(mul(sub(1, mul(same, maximum(sameBranch, beginning))), maskedScore), mask);
}

/** `mask` [..., time, time] with `count` keys before the first, which nobody is kept from. */
export function withEarlierKeys(mask: Tensor, count: number): Tensor {
  const none = mask.shape.map(() => 0);
  return pad(mask, none.with(-1, count), none);
}

/**
 * `mask` that hides keys `size` positions or more before the query as well; positions int32 [batch, time]. Keys that come
 * before those of the queries, `earlier` of them, have the positions 0, 1, 2, …
 */
export function windowed(mask: Tensor, positions: Tensor, size: number, earlier = 0): Tensor {
  const [batch, time] = positions.shape as [number, number];
  const ofKeys = earlier === 0 ? positions : concat([countUp(positions.graph, batch, earlier), positions], 1);
  const distance = sub(reshape(positions, [batch, 1, time, 1]), reshape(ofKeys, [batch, 1, 1, earlier + time]));
  return add(mask, where(less(distance, size), 0, maskedScore));
}

/** 0, 1, 2, … in each of `batch` rows: int32 [batch, time]. */
export function countUp(graph: Graph, batch: number, time: number): Tensor {
  const row = graph.constant(
    'int32',
    [1, time],
    Int32Array.from({ length: time }, (_, t) => t),
  );
  return broadcastTo(row, [batch, time]);
}

/** A cache's mask (see `cacheMask`) that hides keys `size` positions or more before the newest token as well. */
export function windowedCache(mask: Tensor, lengths: Tensor, size: number): Tensor {
  const capacity = mask.shape.at(-1)!;
  const places = Int32Array.from({ length: capacity }, (_, j) => j + size);
  const near = less(
    reshape(lengths, [lengths.shape[0]!, 1, 1, 1]),
    lengths.graph.constant('int32', [1, 1, 1, capacity], places),
  );
  return add(mask, where(near, 0, maskedScore));
}

/** Hides padding from every query: `mask` int32 [batch, time], 1 for real tokens → [batch, 1, 1, time]. */
export function paddingMask(mask: Tensor): Tensor {
  const [batch, time] = mask.shape as [number, number];
  return mul(sub(1, cast(reshape(mask, [batch, 1, 1, time]), 'float32')), maskedScore);
}
