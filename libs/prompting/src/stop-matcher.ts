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
    const [first] = this.#stops
      .map((stop) => ({ start: this.#held.indexOf(stop), length: stop.length }))
      .filter(({ start }) => start >= 0)
      // The one that is complete first, whatever pieces the text comes in; of those, the longest.
      .sort((a, b) => a.start + a.length - (b.start + b.length) || a.start - b.start);
    if (first) {
      this.#stopped = true;
      return this.#take(first.start);
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
