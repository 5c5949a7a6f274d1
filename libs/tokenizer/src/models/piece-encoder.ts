/** A model with what it needs around it: the byte alphabet, and a memory of pieces. */
import { type AlignedText } from '../aligned-text.ts';
import { alphabetFromBytes } from '../byte-alphabet.ts';
import { toByteAlphabet } from '../normalizers/normalizer.ts';
import { BpeModel } from './bpe.ts';
import type { Model, ModelDefinition } from './model.ts';
import { longestCached, PieceCache } from './piece-cache.ts';
import { UnigramModel } from './unigram.ts';
import { WordLevelModel } from './word-level.ts';
import { WordPieceModel } from './word-piece.ts';

const utf8 = new TextEncoder();

export class PieceEncoder {
  readonly #model: Model;
  readonly #writesBytes: boolean;
  readonly #cache = new PieceCache();

  /**
   * `reserved`: ids that text must never yield, except for what is unknown. `writesBytes`: pieces are written in the byte
   * alphabet before the model sees them.
   */
  constructor(definition: ModelDefinition, reserved: ReadonlySet<number>, writesBytes: boolean) {
    this.#model = createModel(definition, reserved);
    this.#writesBytes = writesBytes;
  }

  /** Appends the ids of a part of `text` to `ids`. */
  encode(text: string, start: number, end: number, ids: number[]): void {
    if (end - start <= longestCached) {
      this.#encodeCached(text, start, end, ids);
      return;
    }
    const mark = this.#writesBytes ? undefined : this.#model.cutBefore;
    if (mark === undefined) {
      this.#encodeAnew(text, start, end, ids);
      return;
    }
    let from = start;
    while (from < end) {
      // Marks that follow one another stay together.
      let to = from;
      while (to < end && text[to] === mark) to++;
      const next = text.indexOf(mark, to);
      to = next < 0 || next > end ? end : next;
      if (to - from <= longestCached) this.#encodeCached(text, from, to, ids);
      else this.#encodeAnew(text, from, to, ids);
      from = to;
    }
  }

  /** The same, and calls `emit` with each id and the part of the original that it stands for. */
  encodeAligned(piece: AlignedText, emit: (id: number, start: number, end: number) => void): void {
    const written = this.#writesBytes ? toByteAlphabet(piece) : piece;
    const { ids, starts, ends } = this.#model.tokenize(written.text);
    for (const [i, id] of ids.entries()) emit(id, ...written.originOf(starts[i]!, ends[i]!));
  }

  #encodeCached(text: string, start: number, end: number, ids: number[]): void {
    if (this.#cache.get(text, start, end, ids)) return;
    const first = ids.length;
    this.#encodeAnew(text, start, end, ids);
    this.#cache.add(text, start, end, ids, first);
  }

  #encodeAnew(text: string, start: number, end: number, ids: number[]): void {
    const piece = text.slice(start, end);
    const tokens = this.#model.tokenize(this.#writesBytes ? alphabetFromBytes(utf8.encode(piece)) : piece);
    for (const id of tokens.ids) ids.push(id);
  }
}

function createModel(definition: ModelDefinition, reserved: ReadonlySet<number>): Model {
  switch (definition.type) {
    case 'BPE':
      return new BpeModel(definition, reserved);
    case 'WordPiece':
      return new WordPieceModel(definition, reserved);
    case 'WordLevel':
      return new WordLevelModel(definition, reserved);
    case 'Unigram':
      return new UnigramModel(definition, reserved);
  }
}
