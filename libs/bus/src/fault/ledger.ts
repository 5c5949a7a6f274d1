/**
 * What a fault test has seen, and the verdict over it: the oracle of Jepsen's queue test. Ids are LANE-NUMBER, and the
 * numbers of a lane are published one after the other.
 */
export class Ledger {
  readonly #attempts = new Set<string>();
  readonly #acknowledged = new Set<string>();
  readonly #read = new Map<string, number>();

  attempted(id: string): void {
    this.#attempts.add(id);
  }

  acknowledged(id: string): void {
    this.#acknowledged.add(id);
  }

  read(id: string): void {
    this.#read.set(id, (this.#read.get(id) ?? 0) + 1);
  }

  get hasReadAllAcknowledged(): boolean {
    return [...this.#acknowledged].every((id) => this.#read.has(id));
  }

  verdict() {
    const read = [...this.#read.keys()];
    return {
      counts: { attempts: this.#attempts.size, acknowledged: this.#acknowledged.size, read: read.length },
      /** Acknowledged and gone. */
      lost: [...this.#acknowledged].filter((id) => !this.#read.has(id)),
      /** Read, and never published. */
      unexpected: read.filter((id) => !this.#attempts.has(id)),
      /** Handled more than once. */
      repeated: read.filter((id) => this.#read.get(id)! > 1),
      /** Not acknowledged, and there all the same: allowed. */
      recovered: read.filter((id) => !this.#acknowledged.has(id)).length,
    };
  }
}
