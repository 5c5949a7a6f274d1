/** The model proper: pieces to ids, by merges. */
import { alphabetFromBytes, byteAlphabet } from './byte-alphabet.ts';
import { mergeSymbols, MergeTable } from './merge.ts';
import type { Merge } from './merge.ts';
import { PieceCache } from './piece-cache.ts';

export interface BpeModel {
  /** Ids by token, tokens in the byte alphabet; has all 256 single bytes. */
  readonly vocab: ReadonlyMap<string, number>;
  /** By rank, the first the strongest. */
  readonly merges: readonly Merge[];
  /** A piece that is a token as it stands becomes that token, whatever the merges say (Llama 3). */
  readonly ignoreMerges: boolean;
}

export class BpeEncoder {
  readonly #idOfByte: Int32Array;
  readonly #merges: MergeTable;
  readonly #wholePieces: ReadonlyMap<string, number> | undefined;
  readonly #longestWholePiece: number;
  readonly #cache = new PieceCache();
  readonly #utf8 = new TextEncoder();

  /** `reserved`: ids that plain text must never yield, though the vocabulary or the merges would lead to them. */
  constructor(model: BpeModel, reserved: ReadonlySet<number>) {
    this.#idOfByte = Int32Array.from(byteAlphabet, (character) => model.vocab.get(character)!);
    this.#merges = new MergeTable(model.merges.filter(({ merged }) => !reserved.has(merged)));
    const whole = model.ignoreMerges ? [...model.vocab].filter(([, id]) => !reserved.has(id)) : undefined;
    this.#wholePieces = whole && new Map(whole);
    this.#longestWholePiece = whole?.reduce((longest, [token]) => Math.max(longest, token.length), 0) ?? 0;
  }

  /** Appends the ids of `piece`, well-formed text, to `ids`. */
  encodePiece(piece: string, ids: number[]): void {
    let found = this.#cache.get(piece);
    if (found === undefined) {
      found = this.#merge(this.#utf8.encode(piece));
      this.#cache.set(piece, found);
    }
    for (const id of found) ids.push(id);
  }

  idOfByte(byte: number): number {
    return this.#idOfByte[byte]!;
  }

  #merge(bytes: Uint8Array): readonly number[] {
    if (bytes.length <= this.#longestWholePiece) {
      const id = this.#wholePieces?.get(alphabetFromBytes(bytes));
      if (id !== undefined) return [id];
    }
    const symbols: number[] = [];
    for (const byte of bytes) symbols.push(this.#idOfByte[byte]!);
    return mergeSymbols(symbols, this.#merges);
  }
}
