/** How well a classifier does, and how sure one can be of it. */

export interface Share {
  readonly value: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
}

/** z of a normal distribution for 95 %. */
const z = 1.959963984540054;

/** A share of `total` cases with Wilson's interval, which is right for few cases and shares near 0 and 1 too. */
export function shareWithInterval(hits: number, total: number): Share {
  const value = hits / total;
  const spread = z * Math.sqrt((value * (1 - value)) / total + (z * z) / (4 * total * total));
  const center = value + (z * z) / (2 * total);
  const scale = 1 + (z * z) / total;
  return { value, low: Math.max(0, (center - spread) / scale), high: Math.min(1, (center + spread) / scale) };
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom from 1. */
const t95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** The mean over runs with other seeds, and its 95 % interval by Student's t. Of a single run there is none: it is all. */
export function meanWithInterval(values: readonly number[]): Share {
  const count = values.length;
  const value = values.reduce((sum, each) => sum + each, 0) / count;
  if (count === 1) return { value, low: -Infinity, high: Infinity };
  const variance = values.reduce((sum, each) => sum + (each - value) ** 2, 0) / (count - 1);
  const half = (t95[count - 2] ?? z) * Math.sqrt(variance / count);
  return { value, low: value - half, high: value + half };
}

/** By how much the second is right more often than the first, on the same cases, with a 95 % interval of paired differences. */
export function pairedDifference(first: readonly boolean[], second: readonly boolean[]): Share {
  const count = first.length;
  const differences = first.map((was, i) => Number(second[i]) - Number(was));
  const value = differences.reduce((sum, each) => sum + each, 0) / count;
  const variance = differences.reduce((sum, each) => sum + (each - value) ** 2, 0) / Math.max(1, count - 1);
  const half = z * Math.sqrt(variance / count);
  return { value, low: value - half, high: value + half };
}

export interface ClassificationFigures {
  readonly count: number;
  readonly accuracy: Share;
  /** Mean over the labels of the harmonic mean of precision and recall; 0 for a label that is never hit. */
  readonly macroF1: number;
  /** Share of the most frequent label: what whoever always says it gets. */
  readonly majority: number;
  /** Mean of -ln p(right label), in nats. */
  readonly logLoss: number;
  /** [right label][said label]. */
  readonly confusion: readonly (readonly number[])[];
}

/** `probabilities` of each example's labels, and its right label. */
export function classificationFigures(
  probabilities: readonly (readonly number[])[],
  labels: readonly number[],
): ClassificationFigures {
  const size = probabilities[0]!.length;
  const confusion = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  let loss = 0;
  probabilities.forEach((row, i) => {
    confusion[labels[i]!]![mostProbable(row)]!++;
    loss -= Math.log(Math.max(row[labels[i]!]!, 1e-12));
  });
  const count = labels.length;
  const rowSum = (i: number): number => confusion[i]!.reduce((sum, each) => sum + each, 0);
  const columnSum = (i: number): number => confusion.reduce((sum, row) => sum + row[i]!, 0);
  const f1 = confusion.map((row, i) => (2 * row[i]!) / Math.max(1, rowSum(i) + columnSum(i)));
  return {
    count,
    accuracy: shareWithInterval(
      confusion.reduce((sum, row, i) => sum + row[i]!, 0),
      count,
    ),
    macroF1: f1.reduce((sum, each) => sum + each, 0) / size,
    majority: Math.max(...confusion.map((_row, i) => rowSum(i))) / count,
    logLoss: loss / count,
    confusion,
  };
}

/** The label of the highest probability; the first of equal ones. */
export function mostProbable(probabilities: readonly number[]): number {
  return probabilities.indexOf(Math.max(...probabilities));
}
