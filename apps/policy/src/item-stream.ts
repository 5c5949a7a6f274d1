/** Items that come by callback, for one reader to iterate over. Nothing is dropped: the producer sets the pace. */
export class ItemStream<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #ended: { readonly failure?: unknown; readonly failed: boolean } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  end(): void {
    this.#ended ??= { failed: false };
    this.#wake?.();
  }

  fail(failure: unknown): void {
    this.#ended ??= { failed: true, failure };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) yield item;
      if (this.#ended?.failed) throw this.#ended.failure;
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
