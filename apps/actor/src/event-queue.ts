/** Between a run and the one who listens to it: the run waits when it is far ahead. One reader. */

/** Items that may wait. */
const room = 256;

export class EventQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #closed = false;
  #error: Error | undefined;
  #wakeReader: (() => void) | undefined;
  readonly #waitingWriters: (() => void)[] = [];

  /** Resolves once there is room for more, or nobody reads. */
  async push(item: T): Promise<void> {
    if (this.#closed) return;
    this.#items.push(item);
    this.#wakeReader?.();
    while (this.#mustWait()) await new Promise<void>((resolve) => this.#waitingWriters.push(resolve));
  }

  /** What was pushed is still read; then comes the end, or the error. The first call counts. */
  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#wakeReader?.();
    this.#wakeWriters();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      while (this.#items.length > 0) {
        const item = this.#items.shift()!;
        this.#wakeWriters();
        yield item;
      }
      if (this.#error) throw this.#error;
      if (this.#closed) return;
      // What steps set in motion, the next question or a search, goes out before they are told.
      await new Promise<void>((resolve) => (this.#wakeReader = () => setImmediate(resolve)));
    }
  }

  #mustWait(): boolean {
    return this.#items.length > room && !this.#closed;
  }

  #wakeWriters(): void {
    for (const wake of this.#waitingWriters.splice(0)) wake();
  }
}
