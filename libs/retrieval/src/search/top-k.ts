/** The best of many by score, in a heap of `k`. Of equal scores the lower slot is the better one. */
export interface Scored {
  readonly slot: number;
  readonly score: number;
}

export class TopK {
  readonly #slots: Int32Array;
  readonly #scores: Float64Array;
  readonly #most: number;
  #size = 0;

  constructor(k: number) {
    this.#most = k;
    this.#slots = new Int32Array(k);
    this.#scores = new Float64Array(k);
  }

  /** What a score must exceed to get in. */
  get threshold(): number {
    return this.#size < this.#most ? -Infinity : this.#scores[0]!;
  }

  offer(slot: number, score: number): void {
    if (this.#size < this.#most) {
      this.#put(this.#size++, slot, score);
      this.#rise(this.#size - 1);
    } else if (this.#most > 0 && this.#isWorse(this.#slots[0]!, this.#scores[0]!, slot, score)) {
      this.#put(0, slot, score);
      this.#sink();
    }
  }

  /** Best first. */
  sorted(): Scored[] {
    return Array.from({ length: this.#size }, (_, i) => ({ slot: this.#slots[i]!, score: this.#scores[i]! })).sort(
      (a, b) => b.score - a.score || a.slot - b.slot,
    );
  }

  #isWorse(slot: number, score: number, other: number, otherScore: number): boolean {
    return score < otherScore || (score === otherScore && slot > other);
  }

  #put(at: number, slot: number, score: number): void {
    this.#slots[at] = slot;
    this.#scores[at] = score;
  }

  #worse(a: number, b: number): boolean {
    return this.#isWorse(this.#slots[a]!, this.#scores[a]!, this.#slots[b]!, this.#scores[b]!);
  }

  #swap(a: number, b: number): void {
    const [slot, score] = [this.#slots[a]!, this.#scores[a]!];
    this.#put(a, this.#slots[b]!, this.#scores[b]!);
    this.#put(b, slot, score);
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#worse(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      let worst = at;
      if (left < this.#size && this.#worse(left, worst)) worst = left;
      if (left + 1 < this.#size && this.#worse(left + 1, worst)) worst = left + 1;
      if (worst === at) return;
      this.#swap(at, worst);
      at = worst;
    }
  }
}
