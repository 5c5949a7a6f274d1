/**
 * Pearson's χ² of counts against the probabilities that they should have: how far a sampler is from its distribution.
 * With n outcomes that can happen, a right sampler stays below the χ² quantile of n - 1 degrees of freedom.
 */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * probabilities[i]!;
    if (expected === 0) return count === 0 ? sum : Infinity;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** The value that χ² exceeds once in 10,000 times, by Wilson and Hilferty's approximation (1931). */
export function chiSquareLimit(degreesOfFreedom: number): number {
  const ninth = 2 / (9 * degreesOfFreedom);
  const normalQuantile = 3.719;
  return degreesOfFreedom * (1 - ninth + normalQuantile * Math.sqrt(ninth)) ** 3;
}
