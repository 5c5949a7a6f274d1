import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import { type Logger, type WorkerCallOptions, type WorkerMethods, WorkerProcess } from '@crucible/service';

/** Milliseconds before the first restart; each one after it waits twice as long, up to the longest. */
const firstPause = 100;
const longestPause = 10_000;
/** Milliseconds that a worker must have lived for its end to count as the first. */
const longLife = 60_000;

export interface EngineWorkerOptions {
  readonly name: string;
  readonly log: Logger;
  /** Added to the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A worker process that is kept running: when it dies, or hangs and is killed, it is started anew, after a pause that
 * grows while it keeps dying. Calls meanwhile wait; calls that it was answering fail with `unavailable`.
 */
export class EngineWorker<M extends WorkerMethods<M>> {
  readonly #module: URL;
  readonly #name: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #log: Logger;
  readonly #restorers: ((fresh: WorkerProcess<M>) => Promise<void>)[] = [];
  readonly #closing = new AbortController();
  /** The process, once it can answer: after a restart, when what it had lost is there again. */
  #ready: Promise<WorkerProcess<M>>;
  #pause = firstPause;

  private constructor(module: URL, options: EngineWorkerOptions, worker: WorkerProcess<M>) {
    const { name, log, env = {} } = options;
    this.#module = module;
    this.#env = env;
    this.#name = name;
    this.#log = log;
    this.#ready = Promise.resolve(worker);
    this.#watch(worker);
  }

  /** Starts `module`, a file that calls `serveWorker`; fails when it does not start this first time. */
  static async start<M extends WorkerMethods<M>>(module: URL, options: EngineWorkerOptions): Promise<EngineWorker<M>> {
    const { name, env = {} } = options;
    return new EngineWorker(module, options, await WorkerProcess.start<M>(module, { name, env }));
  }

  /** Called with the fresh process after each restart, before calls that wait go on. */
  onRestart(restore: (fresh: WorkerProcess<M>) => Promise<void>): void {
    this.#restorers.push(restore);
  }

  async call<K extends keyof M & string>(
    method: K,
    args: M[K]['args'],
    options: WorkerCallOptions<M[K]['item']> = {},
  ): Promise<M[K]['result']> {
    const worker = await unlessAborted(this.#ready, options.signal, method);
    return worker.call(method, args, options);
  }

  /** Ends the process. Calls fail from now on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ready.then(
      (worker) => worker.stop(),
      () => undefined,
    );
  }

  /** Process id, for tests that kill it. */
  async pid(): Promise<number> {
    return (await this.#ready).pid!;
  }

  #watch(worker: WorkerProcess<M>): void {
    const begun = performance.now();
    void worker.exited.then((reason) => {
      if (this.#closing.signal.aborted) return;
      if (performance.now() - begun > longLife) this.#pause = firstPause;
      this.#log.error({ worker: this.#name, reason }, 'the engine ended; it is started anew');
      this.#ready = this.#restart();
      this.#ready.catch(() => undefined);
    });
  }

  async #restart(): Promise<WorkerProcess<M>> {
    const { signal } = this.#closing;
    const isClosed = (): boolean => signal.aborted;
    for (;;) {
      await delay(this.#pause, undefined, { signal }).catch(() => undefined);
      if (isClosed()) throw new CrucibleError('unavailable', `${this.#name} was stopped`);
      this.#pause = Math.min(longestPause, this.#pause * 2);
      let worker: WorkerProcess<M> | undefined;
      const stop = (): void => void worker?.stop(0);
      try {
        worker = await WorkerProcess.start<M>(this.#module, { name: this.#name, env: this.#env });
        signal.addEventListener('abort', stop);
        signal.throwIfAborted();
        for (const restore of this.#restorers) await restore(worker);
        this.#watch(worker);
        return worker;
      } catch (reason) {
        await worker?.stop(0);
        if (isClosed()) continue;
        this.#log.error({ worker: this.#name, error: CrucibleError.from(reason).message }, 'the engine did not start');
      } finally {
        signal.removeEventListener('abort', stop);
      }
    }
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (!signal) return promise;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void =>
    aborted.reject(new CrucibleError('cancelled', `${what} was cancelled`, { cause: signal.reason }));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
