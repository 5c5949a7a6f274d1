import { detachedString } from './detached-string.ts';

/**
 * Remembers the ids of pieces, within bounds: at most `2 * generation` pieces of at most `longest` characters. When the
 * young generation is full it becomes the old one, and what was old and not asked for again is forgotten.
 */
export class PieceCache {
  readonly #generation: number;
  readonly #longest: number;
  #young = new Map<string, readonly number[]>();
  #old = new Map<string, readonly number[]>();

  constructor(generation = 65_536, longest = 64) {
    this.#generation = generation;
    this.#longest = longest;
  }

  get(piece: string): readonly number[] | undefined {
    const young = this.#young.get(piece);
    if (young !== undefined) return young;
    const old = this.#old.get(piece);
    if (old !== undefined) this.set(piece, old);
    return old;
  }

  set(piece: string, ids: readonly number[]): void {
    if (piece.length > this.#longest) return;
    if (this.#young.size >= this.#generation) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(detachedString(piece), ids);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
