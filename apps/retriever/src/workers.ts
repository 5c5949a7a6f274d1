/** A process that is started when it is needed, and again when it has ended. */
import { CrucibleError } from '@crucible/foundation';
import { WorkerProcess, type WorkerCallOptions, type WorkerMethods, type WorkerOptions } from '@crucible/service';

/** Tells the engine where the collections are. */
export const uriVariable = 'CRUCIBLE_RETRIEVER_ENGINE_STORE';

export class RevivedWorker<M extends WorkerMethods<M>> {
  readonly #module: URL;
  readonly #options: WorkerOptions;
  #worker: Promise<WorkerProcess<M>> | undefined;
  #isClosed = false;

  constructor(module: URL, options: WorkerOptions) {
    this.#module = module;
    this.#options = options;
  }

  /** Fails with `unavailable` when the process ends under the call. */
  async call<K extends keyof M & string>(
    method: K,
    args: M[K]['args'],
    options?: WorkerCallOptions<M[K]['item']>,
  ): Promise<M[K]['result']> {
    const worker = await this.start();
    return worker.call(method, args, options);
  }

  start(): Promise<WorkerProcess<M>> {
    if (this.#isClosed) throw new CrucibleError('unavailable', `${this.#options.name} was stopped`);
    if (!this.#worker) {
      const starting = WorkerProcess.start<M>(this.#module, { startDeadline: 120_000, ...this.#options });
      this.#worker = starting;
      const forget = (): void => {
        if (this.#worker === starting) this.#worker = undefined;
      };
      starting.then((worker) => worker.exited.then(forget), forget);
    }
    return this.#worker;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await (await this.#worker?.catch(() => undefined))?.stop();
  }
}
