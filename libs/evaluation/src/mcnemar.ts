/** Whether two ways to answer the same questions differ. */

/**
 * The exact test of McNemar (1947): of questions that one answers right and the other wrong, as many go to either side
 * if they are equally good. Returns the two-sided probability of a split at least as uneven, by the binomial
 * distribution; 1 where they never differ.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  // log of n choose k over 2^n, from k = 0 up.
  let term = -count * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    tail += Math.exp(term);
    term += Math.log((count - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * Which of several tests show something, so that the chance of even one false finding among them stays below `alpha`
 * (Holm 1979).
 */
export function holm(probabilities: readonly number[], alpha = 0.05): boolean[] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[a]! - probabilities[b]!);
  const found = new Set<number>();
  for (const [rank, index] of order.entries()) {
    if (probabilities[index]! > alpha / (order.length - rank)) break;
    found.add(index);
  }
  return probabilities.map((_, index) => found.has(index));
}
