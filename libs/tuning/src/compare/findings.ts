/** What the results of a comparison say: means with their intervals, paired differences, and sentences that follow from them. */
import { type Difference, differenceOverRuns, meanOverRuns, type Share } from '../metrics.ts';
import type { MethodName } from '../tune.ts';
import type { CellPart, CellResult, ModelRole, Shots } from './comparison.ts';
import { sortedShots } from './plan.ts';

/** Which results are meant. */
export interface Choice {
  readonly part?: CellPart;
  readonly model?: string;
  readonly role?: ModelRole;
  readonly method: MethodName;
  readonly shots?: Shots;
  readonly asked?: ModelRole;
}

export function choose(results: readonly CellResult[], choice: Choice): CellResult[] {
  const { part, model, role, method, shots, asked } = choice;
  return results.filter(
    (result) =>
      result.cell.method === method &&
      (part === undefined || result.cell.part === part) &&
      (model === undefined || result.cell.model === model) &&
      (role === undefined || result.model === role) &&
      (shots === undefined || result.cell.shots === shots) &&
      result.cell.asked === asked,
  );
}

/** Accuracy over the seeds. Undefined where there is no result. */
export function accuracyOver(results: readonly CellResult[]): (Share & { readonly count: number }) | undefined {
  if (results.length === 0) return undefined;
  const shares = results.map(({ figures }) => figures.accuracy.value);
  return { ...meanOverRuns(shares, results[0]!.figures.count), count: results.length };
}

/**
 * How much better `a` is than `b`, in pairs of the same seed, which had the same examples; one without seeds, of which there is
 * a single result, is compared with each. Undefined where either is missing.
 */
export function differenceOf(a: readonly CellResult[], b: readonly CellResult[]): Difference | undefined {
  const isOne = ({ cell }: CellResult): boolean => cell.shots === 0;
  const pairs = a.flatMap((left) =>
    b
      .filter((right) => left.cell.seed === right.cell.seed || isOne(left) || isOne(right))
      .map((right) => [bits(left.right), bits(right.right)] as const),
  );
  return pairs.length === 0 ? undefined : differenceOverRuns(pairs);
}

export function bits(right: string): boolean[] {
  return Array.from(right, (one) => one === '1');
}

/** Whether a difference is one, as far as its interval goes. */
export function isShown({ low, high }: Pick<Difference, 'low' | 'high'>): boolean {
  return low > 0 || high < 0;
}

/** `0.07`, and a minus sign where it is one. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** `is better than B by 0.07 (0.02 to 0.12)`, or that no difference was shown. */
export function comparedWords(a: string, b: string, difference: Difference): string {
  const { value, low, high } = difference;
  if (!isShown(difference))
    return `no difference between ${a} and ${b} was shown (${signed(value)}; ${signed(low)} to ${signed(high)})`;
  const [better, worse] = value > 0 ? [a, b] : [b, a];
  const range = [low, high].map((end) => Math.abs(end)).sort((x, y) => x - y);
  return `${better} is better than ${worse} by ${signed(Math.abs(value))} (${signed(range[0]!)} to ${signed(range[1]!)})`;
}

export interface Point extends Share {
  readonly shots: Shots;
  /** Seeds. */
  readonly count: number;
}

/** Accuracy of a method by the number of examples. */
export function curveOf(results: readonly CellResult[], choice: Omit<Choice, 'shots'>): Point[] {
  const own = choose(results, { ...choice, part: 'curve' });
  return sortedShots(own.map(({ cell }) => cell.shots)).map((shots) => ({
    shots,
    ...accuracyOver(own.filter(({ cell }) => cell.shots === shots))!,
  }));
}

/** The share of the most frequent label among the texts that were measured on. */
export function majorityOf(results: readonly CellResult[]): number {
  return results.find(({ cell }) => cell.part !== 'rate')?.figures.majority ?? 0;
}

/** Mean of what a result may have. */
export function meanOf(
  results: readonly CellResult[],
  pick: (result: CellResult) => number | undefined,
): number | undefined {
  const values = results.map(pick).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
