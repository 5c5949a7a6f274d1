/**
 * Sets of code points, given as classes of JavaScript's regular expressions and asked one code point at a time. What the
 * expression says is remembered by pages of 256, so that a question costs two look-ups in arrays. A table answers for up
 * to 31 sets at once.
 */

/** How many sets a table holds. */
export const setsPerTable = 31;

const pageSize = 256;
const answered = 1 << 31;

export class CodePointTable {
  /** Runs of members. */
  readonly #runs: readonly RegExp[];
  /** Bit 31: the other bits are known. */
  readonly #low = new Int32Array(0x10000);
  readonly #high = new Map<number, Int32Array>();

  /** `classes`: the source of one class each, brackets included, for the flag `v`; bit i stands for the i-th. */
  constructor(classes: readonly string[]) {
    if (classes.length > setsPerTable) throw new Error(`internal: ${classes.length} sets in one table`);
    this.#runs = classes.map((source) => new RegExp(`${source}+`, 'gv'));
  }

  /** The sets that a code point is in, as bits (and bit 31, which means nothing). */
  bits(codePoint: number): number {
    if (codePoint < 0x10000) {
      const known = this.#low[codePoint]!;
      return known === 0 ? this.#fill(this.#low, codePoint, codePoint) : known;
    }
    let page = this.#high.get(codePoint >>> 8);
    if (page === undefined) this.#high.set(codePoint >>> 8, (page = new Int32Array(pageSize)));
    const known = page[codePoint & 0xff]!;
    return known === 0 ? this.#fill(page, codePoint & 0xff, codePoint) : known;
  }

  /** Asks for a whole page of `table`, the one that has `codePoint` at `place`. */
  #fill(table: Int32Array, place: number, codePoint: number): number {
    const first = codePoint & ~0xff;
    const start = place - (codePoint - first);
    const text = String.fromCodePoint(...Array.from({ length: pageSize }, (_, i) => first + i));
    const width = text.length / pageSize;
    table.fill(answered, start, start + pageSize);
    for (const [i, runs] of this.#runs.entries()) {
      for (const { index, 0: run } of text.matchAll(runs)) {
        for (let at = index / width; at < (index + run.length) / width; at++) table[start + at]! |= 1 << i;
      }
    }
    return table[place]!;
  }
}

/** A single set. */
export class CodePointSet {
  readonly #table: CodePointTable;

  constructor(source: string) {
    this.#table = new CodePointTable([source]);
  }

  has(codePoint: number): boolean {
    return (this.#table.bits(codePoint) & 1) !== 0;
  }
}
