/** What a benchmark is. Add one: a file that exports a benchmark, and a row in benchmarks.ts. */

export type Figure = number | string | null | Readonly<Record<string, number>>;

/** A figure for every key; null where it could not be measured, and then a note that says why. */
type Figures<Key extends string> = Readonly<Record<Key, Figure>> & { readonly note?: string };

interface MetricDescription {
  readonly meaning: string;
  /** Empty for names and plain ratios. */
  readonly unit: string;
}

export interface Benchmark<Key extends string = string> {
  readonly description: string;
  /** The keys of the figures, in the order of the table. They are fixed: others read them. */
  readonly metrics: Readonly<Record<Key, MetricDescription>>;
  /** Measures. `report` takes lines of progress, which go to standard error. */
  readonly run: (report: (line: string) => void) => Promise<Figures<Key>>;
}
