import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import { type Logger, type WorkerCallOptions, type WorkerMethods, WorkerProcess } from '@crucible/service';

/**
 * A worker process that is kept running: when it dies, it is started anew, after a pause that grows while it keeps dying.
 * Calls meanwhile wait; calls that it was answering fail with `unavailable`.
 */
export class EngineWorker<M extends WorkerMethods<M>> {
  readonly #module: URL;
  readonly #name: string;
  readonly #log: Logger;
  readonly #restarted: (() => Promise<void>)[] = [];
  #worker: Promise<WorkerProcess<M>>;
  #closed = false;

  constructor(module: URL, name: string, log: Logger) {
    this.#module = module;
    this.#name = name;
    this.#log = log;
    this.#worker = this.#start();
    this.#worker.catch(() => undefined);
  }

  /** Called after each restart, before waiting calls go on. */
  onRestart(listener: () => Promise<void>): void {
    this.#restarted.push(listener);
  }

  async call<K extends keyof M & string>(
    method: K,
    args: M[K]['args'],
    options?: WorkerCallOptions<M[K]['item']>,
  ): Promise<M[K]['result']> {
    return (await this.#worker).call(method, args, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker.then(
      (worker) => worker.stop(),
      () => undefined,
    );
  }

  /** Process id, for tests that kill it. */
  async pid(): Promise<number | undefined> {
    return (await this.#worker).pid;
  }

  async #start(): Promise<WorkerProcess<M>> {
    const worker = await WorkerProcess.start<M>(this.#module, { name: this.#name });
    void worker.exited.then((reason) => {
      if (this.#closed) return;
      this.#log.error({ worker: this.#name, reason }, 'the engine ended; it is started anew');
      this.#worker = this.#restart();
      this.#worker.catch(() => undefined);
    });
    return worker;
  }

  async #restart(): Promise<WorkerProcess<M>> {
    for (let pause = 100; ; pause = Math.min(10_000, pause * 2)) {
      await delay(pause);
      if (this.#closed) throw new CrucibleError('unavailable', `${this.#name} was stopped`);
      try {
        const worker = await this.#start();
        // The listeners call this worker: they must not wait for themselves.
        this.#worker = Promise.resolve(worker);
        for (const listener of this.#restarted) await listener();
        return worker;
      } catch (reason) {
        this.#log.error({ worker: this.#name, error: CrucibleError.from(reason).message }, 'the engine did not start');
      }
    }
  }
}
