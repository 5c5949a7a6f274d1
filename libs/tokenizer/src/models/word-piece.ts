/**
 * WordPiece (Schuster and Nakajima 2012, as BERT has it): the longest token that a piece begins with, then the longest
 * that what remains begins with, and so on. A piece that is not used up like this is unknown as a whole.
 */
import { widthAt } from '../aligned-text.ts';
import type { JsonField } from '../json-field.ts';
import { missingUnk } from './bpe.ts';
import type { Model, PieceTokens } from './model.ts';
import { parseVocab } from './parse-vocab.ts';

export interface WordPieceDefinition {
  readonly type: 'WordPiece';
  readonly vocab: ReadonlyMap<string, number>;
  readonly unkToken: string;
  /** Begins the tokens that do not begin a piece. */
  readonly continuingSubwordPrefix: string;
  /** Longer pieces are unknown. */
  readonly maxInputCharsPerWord: number;
}

export function parseWordPiece(field: JsonField): WordPieceDefinition {
  return {
    type: 'WordPiece',
    vocab: parseVocab(field.get('vocab')),
    unkToken: field.get('unk_token').string(),
    continuingSubwordPrefix: field.get('continuing_subword_prefix').string(),
    maxInputCharsPerWord: field.get('max_input_chars_per_word').index(Number.MAX_SAFE_INTEGER),
  };
}

export function formatWordPiece(definition: WordPieceDefinition): object {
  return {
    type: 'WordPiece',
    unk_token: definition.unkToken,
    continuing_subword_prefix: definition.continuingSubwordPrefix,
    max_input_chars_per_word: definition.maxInputCharsPerWord,
    vocab: Object.fromEntries(definition.vocab),
  };
}

export class WordPieceModel implements Model {
  readonly #definition: WordPieceDefinition;
  readonly #beginnings: Tokens;
  readonly #continuations: Tokens;

  /** `reserved`: ids that text must never yield, except for what is unknown. */
  constructor(definition: WordPieceDefinition, reserved: ReadonlySet<number>) {
    const prefix = definition.continuingSubwordPrefix;
    const entries = [...definition.vocab].filter(([, id]) => !reserved.has(id));
    this.#definition = definition;
    this.#beginnings = new Tokens(entries);
    this.#continuations = new Tokens(
      entries.filter(([token]) => token.startsWith(prefix)).map(([token, id]) => [token.slice(prefix.length), id]),
    );
  }

  tokenize(piece: string): PieceTokens {
    const tokens: PieceTokens = { ids: [], starts: [], ends: [] };
    if (isLonger(piece, this.#definition.maxInputCharsPerWord)) return this.#unknown(piece);
    for (let start = 0; start < piece.length;) {
      const { longest, ids } = start === 0 ? this.#beginnings : this.#continuations;
      let end = Math.min(piece.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = ids.get(piece.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return this.#unknown(piece);
      tokens.ids.push(id);
      tokens.starts.push(start);
      tokens.ends.push(end);
      start = end;
    }
    return tokens;
  }

  #unknown(piece: string): PieceTokens {
    const { vocab, unkToken } = this.#definition;
    const id = vocab.get(unkToken);
    if (id === undefined) throw missingUnk(unkToken);
    return { ids: [id], starts: [0], ends: [piece.length] };
  }
}

class Tokens {
  readonly ids: ReadonlyMap<string, number>;
  /** Code units of the longest. */
  readonly longest: number;

  constructor(entries: readonly (readonly [string, number])[]) {
    this.ids = new Map(entries);
    this.longest = entries.reduce((longest, [token]) => Math.max(longest, token.length), 0);
  }
}

function isLonger(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  let count = 0;
  for (let at = 0; at < text.length && count <= characters; at += widthAt(text, at)) count++;
  return count > characters;
}
