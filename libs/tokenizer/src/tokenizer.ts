import { AddedTokenMatcher } from './added-tokens.ts';
import { BpeEncoder } from './bpe.ts';
import { tokensOf } from './definition.ts';
import type { TokenizerDefinition } from './definition.ts';
import { createPieceSplitter } from './pre-tokenize.ts';
import type { PieceSplitter } from './pre-tokenize.ts';
import { assertSettings } from './settings.ts';
import type { TokenizerSettings } from './settings.ts';
import { TokenBytes } from './token-bytes.ts';
import type { TokenIds } from './token-bytes.ts';
import { forEachUtf8Stretch } from './utf8-stretches.ts';

export interface DecodeOptions {
  /** Leave special tokens out. Default: false. */
  readonly skipSpecialTokens?: boolean;
}

/**
 * Text to token ids and back, by byte-level BPE: identical ids to Hugging Face's `tokenizers` for the same
 * tokenizer.json. Immutable. Made by `trainBpe` and `loadTokenizer`.
 */
export class Tokenizer {
  /** Ids go from 0 to `vocabSize - 1`, special tokens included. */
  readonly vocabSize: number;
  /** Ids of the special tokens, by content. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly settings: TokenizerSettings;
  readonly definition: TokenizerDefinition;

  readonly #tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #specialIds: ReadonlySet<number>;
  readonly #specialMatcher: AddedTokenMatcher;
  readonly #plainMatcher: AddedTokenMatcher;
  readonly #split: PieceSplitter;
  readonly #splitExactly: PieceSplitter;
  readonly #encoder: BpeEncoder;
  readonly #bytes: TokenBytes;

  /** `definition` must be consistent, see parseTokenizerJson; `settings` may name its tokens only. */
  constructor(definition: TokenizerDefinition, settings: TokenizerSettings = {}) {
    const { model, addedTokens, preTokenizer } = definition;
    const tokens = tokensOf(definition);
    const added = new Set(addedTokens.map(({ id }) => id));
    const special = addedTokens.filter((token) => token.special);

    this.definition = definition;
    this.settings = settings;
    this.vocabSize = tokens.length;
    this.specialTokens = new Map(special.map(({ content, id }) => [content, id]));
    this.#tokens = tokens;
    this.#ids = new Map(tokens.map((token, id) => [token, id]));
    this.#specialIds = new Set(special.map(({ id }) => id));
    this.#specialMatcher = new AddedTokenMatcher(special);
    this.#plainMatcher = new AddedTokenMatcher(addedTokens.filter((token) => !token.special));
    this.#split = createPieceSplitter(preTokenizer, { exact: false });
    this.#splitExactly = createPieceSplitter(preTokenizer, { exact: true });
    this.#encoder = new BpeEncoder(model, this.#specialIds);
    this.#bytes = new TokenBytes(tokens, (id) => added.has(id));
    assertSettings(settings, (token) => this.#ids.has(token));
  }

  /** The same tokenizer with `changes` made to its settings. */
  withSettings(changes: TokenizerSettings): Tokenizer {
    return new Tokenizer(this.definition, { ...this.settings, ...changes });
  }

  /** The id of the token that `settings` names for this purpose, if it names one. */
  get bosId(): number | undefined {
    return this.#idOfSetting(this.settings.bosToken);
  }

  get eosId(): number | undefined {
    return this.#idOfSetting(this.settings.eosToken);
  }

  get padId(): number | undefined {
    return this.#idOfSetting(this.settings.padToken);
  }

  /** `token` as tokenizer.json writes it: in the byte alphabet (" the" is "Ġthe"), added tokens as they are. */
  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The inverse of `tokenToId`. */
  idToToken(id: number): string {
    this.tokenBytes(id);
    return this.#tokens[id]!;
  }

  /** The bytes that a token adds to a text: a view that must not be changed. */
  tokenBytes(id: number): Uint8Array {
    return this.#bytes.of(id);
  }

  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /**
   * The ids of a text that may come from anybody: never a special token, "<|end|>" in it is seven characters like any
   * others. (Added tokens that the model does not mark as special are part of its ordinary vocabulary and are found.)
   * Lone surrogates become U+FFFD.
   */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const part of this.#plainMatcher.split(text.toWellFormed())) {
      if (typeof part === 'number') ids.push(part);
      else this.#encodePlain(part, ids);
    }
    return ids;
  }

  /** The ids of a text that we wrote ourselves: special tokens in it are found. Nothing is added around it. */
  encodeWithSpecialTokens(text: string): number[] {
    return this.splitAtSpecialTokens(text).flatMap((part) => (typeof part === 'number' ? part : this.encode(part)));
  }

  /** The special tokens of a text, as ids, and the stretches between them; none of them empty. */
  splitAtSpecialTokens(text: string): (number | string)[] {
    return this.#specialMatcher.split(text);
  }

  /**
   * The ids of any bytes; `decodeBytes` gives exactly these bytes back. Stretches of well-formed UTF-8 are encoded as
   * text is, other bytes one by one. What could change them is left out: the normalizer, a space put in front, pieces
   * removed, and added tokens. Tokenizers without these (ours are) give the ids of `encode` for well-formed text.
   */
  encodeBytes(bytes: Uint8Array): number[] {
    const ids: number[] = [];
    forEachUtf8Stretch(
      bytes,
      (text) => this.#splitExactly(text, (piece) => this.#encoder.encodePiece(piece, ids)),
      (byte) => ids.push(this.#encoder.idOfByte(byte)),
    );
    return ids;
  }

  /** The text of `ids`; bytes that are no well-formed UTF-8 become U+FFFD. */
  decode(ids: TokenIds, options?: DecodeOptions): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(ids, options));
  }

  decodeBytes(ids: TokenIds, { skipSpecialTokens = false }: DecodeOptions = {}): Uint8Array {
    return this.#bytes.concatenate(ids, (id) => skipSpecialTokens && this.isSpecial(id));
  }

  #encodePlain(text: string, ids: number[]): void {
    const normalized = this.definition.normalizers.reduce((result, form) => result.normalize(form), text);
    this.#split(normalized, (piece) => this.#encoder.encodePiece(piece, ids));
  }

  #idOfSetting(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.tokenToId(token);
  }
}
