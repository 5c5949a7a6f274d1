/** What makes tokens of a piece of text. */
import type { BpeDefinition } from './bpe.ts';
import type { UnigramDefinition } from './unigram.ts';
import type { WordLevelDefinition } from './word-level.ts';
import type { WordPieceDefinition } from './word-piece.ts';

export type ModelDefinition = BpeDefinition | WordPieceDefinition | WordLevelDefinition | UnigramDefinition;

/** The tokens of a piece, and the code units of it that each stands for. */
export interface PieceTokens {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

export interface Model {
  /** A piece may be cut before this character, where another comes before it, and the tokens are the same. */
  readonly cutBefore?: string | undefined;
  /** `piece` is well formed and not empty. */
  tokenize(piece: string): PieceTokens;
}

/** Ids by token. */
export function vocabOf(definition: ModelDefinition): ReadonlyMap<string, number> {
  return definition.type === 'Unigram'
    ? new Map(definition.pieces.map(([token], id) => [token, id]))
    : definition.vocab;
}

/** The ids of the tokens `<0x00>` to `<0xFF>`, as far as there are any. */
export function byteTokens(vocab: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) => vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
}
