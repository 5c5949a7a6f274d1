/** The dead letters of the embedded bus: a journal of them, and in memory where each one lies. */
import type { DeadLetter } from '../bus.ts';
import { Journal } from './journal.ts';
import type { Place, Retention } from './journal.ts';
import type { SegmentStore } from './segment.ts';

export class DeadLetterStore {
  readonly #journal: Journal;
  readonly #retention: Retention;
  /** By what was given up and by whom, oldest first. */
  readonly #places: Map<string, Place>;

  private constructor(journal: Journal, retention: Retention, places: Map<string, Place>) {
    this.#journal = journal;
    this.#retention = retention;
    this.#places = places;
  }

  static async open(segments: SegmentStore, segmentBytes: number, retention: Retention): Promise<DeadLetterStore> {
    const places = new Map<string, Place>();
    const journal = await Journal.open(segments, segmentBytes, (payload, place) =>
      places.set(keyOf(JSON.parse(payload.toString()) as DeadLetter), place),
    );
    return new DeadLetterStore(journal, retention, places);
  }

  get failure(): Journal['failure'] {
    return this.#journal.failure;
  }

  /** Resolves when the disk has confirmed the letter. */
  async add(letter: DeadLetter): Promise<void> {
    this.#places.set(keyOf(letter), await this.#journal.append(Buffer.from(JSON.stringify(letter)), true));
    const removed = new Set(this.#journal.trim(this.#retention, () => false));
    for (const [key, { segment }] of this.#places) if (removed.has(segment)) this.#places.delete(key);
  }

  /** The newest first. */
  list(limit: number): DeadLetter[] {
    return [...this.#places.values()]
      .slice(-limit)
      .reverse()
      .map((place) => JSON.parse(this.#journal.read(place).toString()) as DeadLetter);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

function keyOf({ from, sequence }: DeadLetter): string {
  return `${from.kind}/${from.name}/${sequence}`;
}
