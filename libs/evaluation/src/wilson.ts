const z = 1.959964;

/** The 95 % interval of a share (Wilson 1927): of `right` out of `count`, which is at least 1. */
export function wilson(right: number, count: number): { readonly low: number; readonly high: number } {
  const share = right / count;
  const centre = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  // Rounding must not carry it out of what a share can be.
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
