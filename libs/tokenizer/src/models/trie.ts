/** Tokens by what they begin with. */
export class Trie {
  /** Open addressing: a slot holds a node, a code unit and the node that it leads to; 0 where it is free. */
  readonly #nodes: Int32Array;
  readonly #units: Uint16Array;
  readonly #children: Int32Array;
  readonly #mask: number;
  /** By node: the id of the token that ends there, or -1. */
  readonly #ids: Int32Array;

  constructor(tokens: ReadonlyMap<string, number>) {
    let length = 0;
    for (const token of tokens.keys()) length += token.length;
    const size = 2 ** Math.ceil(Math.log2(2 * length + 2));
    this.#mask = size - 1;
    this.#nodes = new Int32Array(size);
    this.#units = new Uint16Array(size);
    this.#children = new Int32Array(size);
    const ids = new Int32Array(length + 2).fill(-1);
    let count = 1;
    for (const [token, id] of tokens) {
      let node = 1;
      for (let i = 0; i < token.length; i++) {
        const slot = this.#slot(node, token.charCodeAt(i));
        if (this.#nodes[slot] === 0) {
          this.#nodes[slot] = node;
          this.#units[slot] = token.charCodeAt(i);
          this.#children[slot] = ++count;
        }
        node = this.#children[slot]!;
      }
      if (node !== 1) ids[node] = id;
    }
    this.#ids = ids.slice(0, count + 1);
  }

  /** Calls `emit` with every token that `text` has at `start`, the shortest first. */
  forEachPrefix(text: string, start: number, emit: (end: number, id: number) => void): void {
    let node = 1;
    for (let at = start; at < text.length; at++) {
      const slot = this.#slot(node, text.charCodeAt(at));
      if (this.#nodes[slot] === 0) return;
      node = this.#children[slot]!;
      const id = this.#ids[node]!;
      if (id >= 0) emit(at + 1, id);
    }
  }

  #slot(node: number, unit: number): number {
    let slot = Math.imul(node, 0x9e37_79b1) ^ Math.imul(unit, 0x85eb_ca6b);
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#nodes[slot] !== 0 && (this.#nodes[slot] !== node || this.#units[slot] !== unit)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}
