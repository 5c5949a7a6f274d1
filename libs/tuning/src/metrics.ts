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

/** A difference of two shares, and over how many seeds and texts its interval was computed. */
export interface Difference extends Share {
  readonly seeds: number;
  readonly texts: number;
}

/** The difference of the shares of texts that two classifiers are right about, text by text; the interval is normal. */
export function differenceOverTexts(a: readonly boolean[], b: readonly boolean[]): Difference {
  return differenceOverRuns([[a, b]]);
}

/**
 * The mean difference of pairs of runs on the same texts, each as which texts it was right about. Two doubts go into the
 * interval: which examples a run learned from (over the runs, Student's t) and which texts it was measured on (over the texts,
 * normal); the squares of their half-widths are added. Of a single pair there is the second alone.
 */
export function differenceOverRuns(pairs: readonly (readonly [readonly boolean[], readonly boolean[]])[]): Difference {
  const texts = pairs[0]![0].length;
  const other = pairs.flat().find(({ length }) => length !== texts);
  if (other) throw new Error(`internal: ${other.length} and ${texts} texts are no pairs`);
  const gain = ([a, b]: (typeof pairs)[number], i: number): number => Number(a[i]) - Number(b[i]);
  const byRun = pairs.map((pair) => pair[0].reduce((sum, _right, i) => sum + gain(pair, i), 0) / texts);
  const byText = Array.from(
    { length: texts },
    (_, i) => pairs.reduce((sum, pair) => sum + gain(pair, i), 0) / pairs.length,
  );
  const { value, high } = meanWithInterval(byRun);
  const variance = byText.reduce((sum, one) => sum + (one - value) ** 2, 0) / Math.max(1, texts - 1);
  const half = Math.hypot(pairs.length === 1 ? 0 : high - value, z * Math.sqrt(variance / texts));
  return { value, low: value - half, high: value + half, seeds: pairs.length, texts };
}

/**
 * The mean share over runs on the same `total` texts, with both doubts of `differenceOverRuns` in its interval; that of the
 * texts is Wilson's.
 */
export function meanOverRuns(shares: readonly number[], total: number): Share {
  const { value, high } = meanWithInterval(shares);
  const texts = shareWithInterval(value * total, total);
  if (shares.length === 1) return texts;
  const runs = high - value;
  return {
    value,
    low: Math.max(0, value - Math.hypot(runs, value - texts.low)),
    high: Math.min(1, value + Math.hypot(runs, texts.high - value)),
  };
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
