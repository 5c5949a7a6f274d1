/** Remembers ids with a value each: the newest `capacity` ones, no longer than `maxAge` ms. */
export class RecentIds<T> {
  readonly #capacity: number;
  readonly #maxAge: number;
  /** In the order of adding. */
  readonly #entries = new Map<string, { readonly value: T; readonly time: number }>();

  constructor({ capacity = Infinity, maxAge = Infinity }: { readonly capacity?: number; readonly maxAge?: number }) {
    this.#capacity = capacity;
    this.#maxAge = maxAge;
  }

  get(id: string): T | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined || Date.now() - entry.time >= this.#maxAge ? undefined : entry.value;
  }

  /** `time`: when it was seen, in ms since 1970; now by default. Times do not decrease. */
  add(id: string, value: T, time = Date.now()): void {
    this.#entries.delete(id);
    this.#entries.set(id, { value, time });
    const oldest = Date.now() - this.#maxAge;
    for (const [first, entry] of this.#entries) {
      if (this.#entries.size <= this.#capacity && entry.time > oldest) break;
      this.#entries.delete(first);
    }
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }
}
