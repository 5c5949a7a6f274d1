/** Every piece is a token, or unknown. */
import type { JsonField } from '../json-field.ts';
import { missingUnk } from './bpe.ts';
import type { Model, PieceTokens } from './model.ts';
import { parseVocab } from './parse-vocab.ts';

export interface WordLevelDefinition {
  readonly type: 'WordLevel';
  readonly vocab: ReadonlyMap<string, number>;
  readonly unkToken: string;
}

export function parseWordLevel(field: JsonField): WordLevelDefinition {
  return { type: 'WordLevel', vocab: parseVocab(field.get('vocab')), unkToken: field.get('unk_token').string() };
}

export function formatWordLevel({ vocab, unkToken }: WordLevelDefinition): object {
  return { type: 'WordLevel', vocab: Object.fromEntries(vocab), unk_token: unkToken };
}

export class WordLevelModel implements Model {
  readonly #definition: WordLevelDefinition;
  readonly #reserved: ReadonlySet<number>;

  /** `reserved`: ids that text must never yield, except for what is unknown. */
  constructor(definition: WordLevelDefinition, reserved: ReadonlySet<number>) {
    this.#definition = definition;
    this.#reserved = reserved;
  }

  tokenize(piece: string): PieceTokens {
    const { vocab, unkToken } = this.#definition;
    let id = vocab.get(piece);
    if (id === undefined || this.#reserved.has(id)) id = vocab.get(unkToken);
    if (id === undefined) throw missingUnk(unkToken);
    return { ids: [id], starts: [0], ends: [piece.length] };
  }
}
