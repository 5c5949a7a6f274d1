import { invalidInput } from '@crucible/foundation';
import { createTokenBytes, type DecoderDefinition } from './decoders/decoder.ts';

/** A list of token ids, plain or typed. */
export type TokenIds = ArrayLike<number> & Iterable<number>;

/** The bytes that each token stands for, in one buffer. */
export class TokenBytes {
  readonly #buffer: Uint8Array;
  /** Token `id` lies from `offsets[id]` to `offsets[id + 1]`. */
  readonly #offsets: Uint32Array;

  /**
   * `tokens` by id, as the vocabulary writes them; what they stand for within a text is the decoder's to say. `literal`
   * ones (added tokens) stand for their own text.
   */
  constructor(
    tokens: readonly (string | undefined)[],
    decoder: DecoderDefinition | null,
    literal: (id: number) => boolean,
  ) {
    const utf8 = new TextEncoder();
    const decoded = createTokenBytes(decoder);
    const parts = Array.from(tokens, (token = '', id) => (literal(id) ? utf8.encode(token) : decoded(token)));
    this.#offsets = new Uint32Array(tokens.length + 1);
    for (const [id, part] of parts.entries()) this.#offsets[id + 1] = this.#offsets[id]! + part.length;
    this.#buffer = new Uint8Array(this.#offsets[tokens.length]!);
    for (const [id, part] of parts.entries()) this.#buffer.set(part, this.#offsets[id]);
  }

  /** A view, not a copy. */
  of(id: number): Uint8Array {
    this.assertId(id);
    return this.#buffer.subarray(this.#offsets[id], this.#offsets[id + 1]);
  }

  /** The bytes of `ids` one after the other, without those that `skips` names. */
  concatenate(ids: TokenIds, skips: (id: number) => boolean): Uint8Array {
    let size = 0;
    let position = 0;
    for (const id of ids) {
      this.assertId(id, position++);
      if (!skips(id)) size += this.#offsets[id + 1]! - this.#offsets[id]!;
    }
    const bytes = new Uint8Array(size);
    let end = 0;
    for (const id of ids) {
      if (skips(id)) continue;
      const to = this.#offsets[id + 1]!;
      for (let at = this.#offsets[id]!; at < to; at++) bytes[end++] = this.#buffer[at]!;
    }
    return bytes;
  }

  /** `position`: where in a list the id stands, for the error. */
  assertId(id: number, position?: number): void {
    const size = this.#offsets.length - 1;
    if (Number.isInteger(id) && id >= 0 && id < size) return;
    const at = position === undefined ? 'id' : `ids[${position}]`;
    throw invalidInput(`${at}: ${id} is not a token id; this tokenizer has the ids 0 to ${size - 1}`, { at });
  }
}
