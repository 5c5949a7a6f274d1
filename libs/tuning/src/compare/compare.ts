/** Runs a comparison cell by cell; each result is a file of its own, so that what was measured is measured once. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import type { TuneContext } from '../method.ts';
import { type EqualSizes, measuredCells, measuresBase, rateCells } from './cells.ts';
import type { Cell, CellResult, Comparison, ComparedTask } from './comparison.ts';

/** Measures one cell: in this process, or in another. */
type RunCell = (cell: Cell, context: TuneContext) => Promise<CellResult>;

export interface CompareProgress {
  readonly cell: Cell;
  /** Cells that are done, and all; more may come once learning rates are found. */
  readonly done: number;
  readonly all: number;
  /** Of the cell. */
  readonly step: number;
  readonly steps: number;
  /** An estimate from the cells that are done; undefined while there are none like those to come. */
  readonly secondsLeft?: number;
}

export interface CompareOptions {
  /** Where results lie and come to lie; made where it is not there. */
  readonly folder: string;
  readonly run: RunCell;
  readonly equal?: EqualSizes;
  readonly signal?: AbortSignal;
  readonly report?: (progress: CompareProgress) => void;
}

export interface ComparedCells {
  /** Of what was measured, without the search for learning rates. */
  readonly results: readonly CellResult[];
  readonly rates: readonly CellResult[];
  /** Cells that ended with an error; a second start tries them again. */
  readonly failed: readonly { readonly cell: Cell; readonly message: string }[];
  /** How many there are to be. */
  readonly all: number;
  /** Whether it was cancelled before all were done. */
  readonly stopped: boolean;
}

/**
 * Measures what is not measured yet. When it is cancelled it answers with what there is, and the next start goes on from there.
 * A cell that fails for another reason than wrong input is left out, and the others go on.
 */
export async function compare(comparison: Comparison, options: CompareOptions): Promise<ComparedCells> {
  const store = await ResultStore.open(options.folder, comparison);
  const failed: { cell: Cell; message: string }[] = [];
  const clock = new Clock();
  const { signal } = options;
  let stopped = false;
  const measure = async (cells: readonly Cell[], before: readonly CellResult[], all: number): Promise<CellResult[]> => {
    const results: CellResult[] = [];
    for (const [i, cell] of cells.entries()) {
      let result = store.find(cell);
      stopped ||= signal?.aborted === true;
      if (!result && stopped) continue;
      if (!result) {
        const left = cells.slice(i).filter((one) => !store.find(one));
        const start = performance.now();
        const report = (step: number, steps: number): void =>
          options.report?.({
            ...{ cell, done: before.length + i, all, step, steps },
            ...clock.left(left, (performance.now() - start) / 1000),
          });
        report(0, 1);
        try {
          result = await options.run(cell, {
            ...(signal && { signal }),
            report: ({ step, steps }) => report(step, steps),
          });
        } catch (reason) {
          const { code, message } = CrucibleError.from(reason);
          stopped ||= signal?.aborted === true;
          if (!stopped && (code === 'cancelled' || code === 'invalid-input' || code === 'not-found')) throw reason;
          if (!stopped) failed.push({ cell, message });
          continue;
        }
        store.keep(result);
      }
      clock.add(result);
      results.push(result);
    }
    return results;
  };

  const tried = rateCells(comparison);
  const expected = measuredCells(comparison, () => 1, options.equal).length;
  const rates = await measure(tried, [], tried.length + expected);
  const cells = measuredCells(
    comparison,
    (model, method, shots) => bestRate(rates, { model, method, shots }),
    options.equal,
  );
  const results = await measure(cells, rates, tried.length + cells.length);
  return { results, rates, failed, all: tried.length + cells.length, stopped };
}

/** The factor whose accuracy on dev was the best; of equal ones that of the lower loss. */
function bestRate(
  rates: readonly CellResult[],
  { model, method, shots }: Pick<Cell, 'model' | 'method' | 'shots'>,
): number {
  const own = rates.filter(({ cell }) => cell.model === model && cell.method === method && cell.shots === shots);
  const [best] = own.toSorted(
    (a, b) => b.figures.accuracy.value - a.figures.accuracy.value || a.figures.logLoss - b.figures.logLoss,
  );
  return best?.cell.rate ?? 1;
}

/** Results as files of a folder. A result counts for a cell when everything that it depends on is the same. */
class ResultStore {
  readonly #folder: string;
  readonly #comparison: Comparison;
  readonly #taskDigest: string;
  readonly #known = new Map<string, CellResult>();

  private constructor(folder: string, comparison: Comparison, taskDigest: string) {
    this.#folder = folder;
    this.#comparison = comparison;
    this.#taskDigest = taskDigest;
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.json') || file.startsWith('.')) continue;
      const result = parseResult(readFileSync(join(folder, file), 'utf8'));
      if (result) this.#known.set(file, result);
    }
  }

  static async open(home: string, comparison: Comparison): Promise<ResultStore> {
    const folder = join(home, 'cells');
    mkdirSync(folder, { recursive: true });
    return new ResultStore(folder, comparison, await digestOf(comparison));
  }

  find(cell: Cell): CellResult | undefined {
    const found = this.#known.get(this.#fileOf(cell));
    if (measuresBase(cell, this.#comparison.settings) && found?.baseLoss === undefined) return undefined;
    // The same training may belong to another part of another plan.
    return found && { ...found, cell };
  }

  keep(result: CellResult): void {
    const file = this.#fileOf(result.cell);
    writeFileAtomic(join(this.#folder, file), `${JSON.stringify(result)}\n`);
    this.#known.set(file, result);
  }

  #fileOf({ part, ...cell }: Cell): string {
    const { models, settings } = this.#comparison;
    const { steps, allSteps, rows } = settings;
    const { sha256, isImported, role } = models.find(({ name }) => name === cell.model)!;
    const depends = {
      ...{ cell, sha256, isImported, role, task: this.#taskDigest, rows },
      steps: cell.shots === 'all' ? allSteps : steps,
      // It is measured on dev.
      isRate: part === 'rate',
    };
    const hash = createHash('sha256').update(JSON.stringify(depends)).digest('hex').slice(0, 12);
    return `${cell.model}.${cell.method}.${cell.shots}.${cell.seed}.${hash}.json`;
  }
}

/** Of all that is learned from and measured on. */
async function digestOf({ task, transfer, corpus = [], settings }: Comparison): Promise<string> {
  const hash = createHash('sha256');
  const add = async (each: ComparedTask): Promise<void> => {
    const { source, words, templates } = each;
    hash.update(JSON.stringify([words, templates]));
    if ('world' in source) hash.update(source.world);
    else
      for (const path of [source.files.train, source.files.dev, source.files.test]) {
        if (path !== undefined && existsSync(path))
          for await (const part of createReadStream(path)) hash.update(part as Buffer);
        hash.update('\0');
      }
  };
  for (const each of [task, ...transfer]) await add(each);
  hash.update(JSON.stringify([corpus, settings.testTexts]));
  return hash.digest('hex');
}

/** Undefined for a file that is none of ours: it is measured anew. */
function parseResult(json: string): CellResult | undefined {
  try {
    const value = JSON.parse(json) as Partial<CellResult> | null;
    return value?.cell && value.figures && typeof value.right === 'string' ? (value as CellResult) : undefined;
  } catch {
    return undefined;
  }
}

/** Guesses how long cells will take from those that were like them. */
class Clock {
  readonly #seconds = new Map<string, number[]>();

  add({ cell, seconds }: CellResult): void {
    for (const key of keysOf(cell)) this.#seconds.set(key, [...(this.#seconds.get(key) ?? []), seconds]);
  }

  /** `spent`: seconds of the first of them so far. */
  left(cells: readonly Cell[], spent: number): { readonly secondsLeft?: number } {
    let total = 0;
    for (const cell of cells) {
      const like = keysOf(cell)
        .map((key) => this.#seconds.get(key))
        .find((known) => known !== undefined);
      if (!like) return {};
      total += like.reduce((sum, each) => sum + each, 0) / like.length;
    }
    return { secondsLeft: Math.max(0, total - spent) };
  }
}

/** From what is the most alike to what is the least. */
function keysOf({ model, method, shots }: Cell): string[] {
  const many = shots === 'all' ? 'all' : 'few';
  return [`${model} ${method} ${shots}`, `${model} ${method} ${many}`, `${method} ${many}`, many, ''];
}
