/** Measures cells in processes of their own: one for all cells of a model and a method, so that their memory is told apart. */
import { WorkerProcess } from '@crucible/service';
import type { Cell, CellResult, Comparison, CompareOptions } from '@crucible/tuning';
import type { CompareMethods } from './compare-worker.ts';

export class CellProcesses implements AsyncDisposable {
  readonly #comparison: Comparison;
  readonly #home: string;
  #current: { readonly key: string; readonly worker: WorkerProcess<CompareMethods> } | undefined;

  constructor(comparison: Comparison, home: string) {
    this.#comparison = comparison;
    this.#home = home;
  }

  readonly run: CompareOptions['run'] = async (cell, { signal, report }): Promise<CellResult> => {
    const worker = await this.#workerFor(cell);
    try {
      return await worker.call(
        'run',
        { comparison: this.#comparison, cell },
        { ...(signal && { signal }), onItem: (item) => report?.(item) },
      );
    } catch (reason) {
      // It may have died; the next cell gets another.
      await this[Symbol.asyncDispose]();
      throw reason;
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.worker.stop();
    this.#current = undefined;
  }

  async #workerFor({ model, method }: Cell): Promise<WorkerProcess<CompareMethods>> {
    const key = `${model} ${method}`;
    if (this.#current?.key === key) return this.#current.worker;
    await this[Symbol.asyncDispose]();
    const worker = await WorkerProcess.start<CompareMethods>(new URL('./compare-worker.ts', import.meta.url), {
      name: 'the process of a training',
      env: { CRUCIBLE_HOME: this.#home },
    });
    this.#current = { key, worker };
    return worker;
  }
}
