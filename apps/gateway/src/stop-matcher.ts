/** Finds stop strings in a text that comes in pieces. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop string has been met; what follows it is dropped. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The text that can be shown now: no part of it belongs to a stop string. */
  push(text: string): string {
    if (this.#stopped) return '';
    this.#held += text;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#stopped = true;
      return this.#take(Math.min(...found));
    }
    return this.#take(this.#held.length - this.#possibleStart());
  }

  /** The rest, when no more text comes. */
  flush(): string {
    return this.#stopped ? '' : this.#take(this.#held.length);
  }

  #take(length: number): string {
    const shown = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return shown;
  }

  /** Length of the longest end of the held text that might be the beginning of a stop string. */
  #possibleStart(): number {
    const longest = Math.min(this.#held.length, Math.max(0, ...this.#stops.map(({ length }) => length - 1)));
    for (let length = longest; length > 0; length--) {
      const end = this.#held.slice(-length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
