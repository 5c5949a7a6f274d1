/**
 * Remembers the ids of pieces, without making strings of them: a hash table over the code units of a text. Its memory is
 * bounded; when it is full it begins anew.
 */

/** Longer pieces are not worth remembering, in code units. */
export const longestCached = 48;

const mostPieces = 65_536;

export class PieceCache {
  readonly #most: number;
  /** Open addressing: 1 + the number of a piece; 0 where it is free. */
  #slots: Int32Array;
  #mask: number;
  #hashes: Int32Array;
  /** Piece n is from the n-th of these up to the next. */
  #unitEnds: Int32Array;
  #idEnds: Int32Array;
  #units: Uint16Array;
  #ids: Int32Array;
  #size = 0;
  /** Of the piece that was looked for last, for `add`. */
  #hash = 0;

  constructor(most = mostPieces) {
    this.#most = most;
    const first = 2 ** Math.ceil(Math.log2(Math.min(most, 1024)));
    this.#slots = new Int32Array(2 * first);
    this.#mask = this.#slots.length - 1;
    this.#hashes = new Int32Array(first);
    this.#unitEnds = new Int32Array(first + 1);
    this.#idEnds = new Int32Array(first + 1);
    this.#units = new Uint16Array(8 * first);
    this.#ids = new Int32Array(2 * first);
  }

  get size(): number {
    return this.#size;
  }

  /** Appends the ids of a part of `text` to `ids`; false if they are not known. */
  get(text: string, start: number, end: number, ids: number[]): boolean {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
    hash ^= hash >>> 15;
    this.#hash = hash;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const piece = this.#slots[slot]! - 1;
      if (piece < 0) return false;
      if (this.#hashes[piece] !== hash || !this.#isPiece(piece, text, start, end)) continue;
      const last = this.#idEnds[piece + 1]!;
      for (let i = this.#idEnds[piece]!; i < last; i++) ids.push(this.#ids[i]!);
      return true;
    }
  }

  /** Remembers the ids, from the `first`-th on, of the piece that `get` has just been asked for. */
  add(text: string, start: number, end: number, ids: readonly number[], first: number): void {
    if (this.#size === this.#most) this.#clear();
    if (this.#size === this.#hashes.length) this.#grow();
    const piece = this.#size++;
    const units = this.#unitEnds[piece]!;
    const known = this.#idEnds[piece]!;
    this.#units = roomFor(this.#units, units + end - start);
    this.#ids = roomFor(this.#ids, known + ids.length - first);
    for (let at = start; at < end; at++) this.#units[units + at - start] = text.charCodeAt(at);
    for (let i = first; i < ids.length; i++) this.#ids[known + i - first] = ids[i]!;
    this.#unitEnds[piece + 1] = units + end - start;
    this.#idEnds[piece + 1] = known + ids.length - first;
    this.#hashes[piece] = this.#hash;
    this.#place(piece);
  }

  #isPiece(piece: number, text: string, start: number, end: number): boolean {
    const from = this.#unitEnds[piece]!;
    if (this.#unitEnds[piece + 1]! - from !== end - start) return false;
    for (let at = start; at < end; at++) {
      if (this.#units[from + at - start] !== text.charCodeAt(at)) return false;
    }
    return true;
  }

  #place(piece: number): void {
    let slot = this.#hashes[piece]! & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = piece + 1;
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }

  #grow(): void {
    const size = 2 * this.#hashes.length;
    this.#hashes = roomFor(this.#hashes, size);
    this.#unitEnds = roomFor(this.#unitEnds, size + 1);
    this.#idEnds = roomFor(this.#idEnds, size + 1);
    this.#slots = new Int32Array(2 * size);
    this.#mask = this.#slots.length - 1;
    for (let piece = 0; piece < this.#size; piece++) this.#place(piece);
  }
}

/** The array itself, or a copy with room for `size` values and some more. */
function roomFor<T extends Int32Array | Uint16Array>(array: T, size: number): T {
  if (size <= array.length) return array;
  const larger = new (array.constructor as new (length: number) => T)(Math.max(size, 2 * array.length));
  larger.set(array);
  return larger;
}
