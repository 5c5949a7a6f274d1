import { CrucibleError } from '@crucible/foundation';

/** Runs tasks one at a time, in the order they came. */
export class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Settles as the task does; its failure does not keep the next ones from running. A task whose signal is aborted before
   * its turn fails at once, with `cancelled`, and never runs; one that runs is not broken off.
   */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let began = false;
    const own = this.#last.then(() => {
      if (signal?.aborted) throw dropped(signal);
      began = true;
      return task();
    });
    this.#last = own.catch(() => undefined);
    const unwanted = Promise.withResolvers<never>();
    const leave = (): void => {
      if (!began) unwanted.reject(dropped(signal!));
    };
    signal?.addEventListener('abort', leave);
    if (signal?.aborted) leave();
    try {
      return await Promise.race([own, unwanted.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }
}

function dropped(signal: AbortSignal): CrucibleError {
  return new CrucibleError('cancelled', 'cancelled while it waited for its turn', { cause: signal.reason });
}
