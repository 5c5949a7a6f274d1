import type { AddedToken } from './added-tokens.ts';
import type { BpeModel } from './bpe.ts';
import type { PreTokenizerStep } from './pre-tokenize.ts';

export type NormalizationForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** What tokenizer.json says, checked (parseTokenizerJson) or made by training. */
export interface TokenizerDefinition {
  /** Applied to plain text one after the other. */
  readonly normalizers: readonly NormalizationForm[];
  readonly preTokenizer: readonly PreTokenizerStep[];
  readonly model: BpeModel;
  /** Their ids, together with those of the vocabulary, go from 0 without gaps. */
  readonly addedTokens: readonly AddedToken[];
  /** Kept for others as it was found: it adds special tokens around a text, which we leave to the caller. */
  readonly postProcessor: unknown;
}

/** All tokens, index = id. */
export function tokensOf({ model, addedTokens }: TokenizerDefinition): string[] {
  const tokens: string[] = [];
  for (const [token, id] of model.vocab) tokens[id] = token;
  for (const { content, id } of addedTokens) tokens[id] = content;
  return tokens;
}
