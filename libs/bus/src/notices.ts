import type { BusNotice } from './bus.ts';

/** Those who listen to a bus. */
export class Notices {
  readonly #listeners = new Set<(notice: BusNotice) => void>();

  observe(listener: (notice: BusNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A listener that throws harms nobody else: its error becomes an uncaught one. */
  readonly send = (notice: BusNotice): void => {
    for (const listener of this.#listeners) {
      try {
        listener(notice);
      } catch (reason) {
        queueMicrotask(() => {
          throw reason;
        });
      }
    }
  };
}
