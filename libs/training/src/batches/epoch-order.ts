import type { Random } from '@crucible/foundation';

/**
 * A finite set as an endless sequence: every epoch goes once through all items, in an order of its own that follows from
 * `random` alone, so that a sequence can be gone on with at any position. One epoch's order is held at a time: positions
 * that are asked for one after the other cost one shuffle an epoch.
 */
export class EpochOrder<T> {
  readonly #items: readonly T[];
  readonly #random: Random;
  #epoch = -1;
  #order: readonly T[] = [];

  /** At least one item. */
  constructor(items: readonly T[], random: Random) {
    if (items.length === 0) throw new Error('internal: an epoch of nothing');
    this.#items = items;
    this.#random = random;
  }

  /** The item at a position, from 0. */
  at(position: number): T {
    const { length } = this.#items;
    const epoch = Math.floor(position / length);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#order = this.#random.fork(`epoch ${epoch}`).shuffled(this.#items);
    }
    return this.#order[position % length]!;
  }

  /** `count` items from a position on. */
  slice(position: number, count: number): T[] {
    return Array.from({ length: count }, (_, i) => this.at(position + i));
  }

  /** What step `step` learns from: `rows` items, or all where there are fewer, each step's after those of the one before. */
  batch(step: number, rows: number): T[] {
    const count = Math.min(rows, this.#items.length);
    return this.slice(step * count, count);
  }
}
