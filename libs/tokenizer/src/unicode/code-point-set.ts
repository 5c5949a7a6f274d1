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
  readonly #tests: readonly RegExp[];
  /** Bit 31: the other bits are known. */
  readonly #low = new Int32Array(0x10000);
  readonly #high = new Map<number, Int32Array>();

  /** `classes`: the source of one class each, brackets included, for the flag `v`; bit i stands for the i-th. */
  constructor(classes: readonly string[]) {
    if (classes.length > setsPerTable) throw new Error(`internal: ${classes.length} sets in one table`);
    this.#tests = classes.map((source) => new RegExp(`^${source}$`, 'v'));
  }

  /** The sets that a code point is in, as bits (and bit 31, which means nothing). */
  bits(codePoint: number): number {
    if (codePoint < 0x10000) return this.#low[codePoint] || this.#fill(this.#low, codePoint, codePoint);
    let page = this.#high.get(codePoint >>> 8);
    if (page === undefined) this.#high.set(codePoint >>> 8, (page = new Int32Array(pageSize)));
    return page[codePoint & 0xff] || this.#fill(page, codePoint & 0xff, codePoint);
  }

  #fill(page: Int32Array, place: number, codePoint: number): number {
    const character = String.fromCodePoint(codePoint);
    let bits = answered;
    for (const [i, test] of this.#tests.entries()) if (test.test(character)) bits |= 1 << i;
    page[place] = bits;
    return bits;
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
