import type { Random } from '@crucible/foundation';

/** A key, drawn in proportion to its weight (not negative, not all zero). */
export function pickWeighted<K extends string>(weights: Readonly<Partial<Record<K, number>>>, random: Random): K {
  const keys = Object.keys(weights) as K[];
  return keys[random.weighted(Object.values<number>(weights as Record<K, number>))]!;
}
