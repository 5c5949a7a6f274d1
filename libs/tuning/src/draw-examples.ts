import { Random } from '@crucible/foundation';

/**
 * The examples of a step, `rows` or as many as there are: every epoch goes once through all of them, in a new order. All ways
 * of tuning draw alike: with the same seed they see the same examples in the same order.
 */
export function drawExamples<T>(
  examples: readonly T[],
  { rows, step, seed }: { readonly rows: number; readonly step: number; readonly seed: number },
): T[] {
  const count = Math.min(rows, examples.length);
  const perEpoch = Math.floor(examples.length / count);
  const random = Random.seeded(seed).fork(`epoch ${Math.floor(step / perEpoch)}`);
  const start = (step % perEpoch) * count;
  return random.shuffled(examples).slice(start, start + count);
}
