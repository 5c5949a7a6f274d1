/** Runs tasks one at a time, in the order they came. */
export class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as the task does; its failure does not keep the next ones from running. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const own = this.#last.then(task);
    this.#last = own.catch(() => undefined);
    return own;
  }
}
