/** What attention may look at. Masks are added to scores: 0 where a query may look, far below where not. */
import {
  add,
  cast,
  causalMask,
  equal,
  less,
  maskedScore,
  maximum,
  mul,
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

/** `mask` that hides keys `size` positions or more before the query as well; positions int32 [batch, time]. */
export function windowed(mask: Tensor, positions: Tensor, size: number): Tensor {
  const [batch, time] = positions.shape as [number, number];
  const distance = sub(reshape(positions, [batch, 1, time, 1]), reshape(positions, [batch, 1, 1, time]));
  return add(mask, where(less(distance, size), 0, maskedScore));
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
