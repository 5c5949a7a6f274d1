import type { AddedToken } from './added-tokens.ts';
import type { DecoderDefinition } from './decoders/decoder.ts';
import { type ModelDefinition, vocabOf } from './models/model.ts';
import type { NormalizerDefinition } from './normalizers/normalizer.ts';
import type { PostProcessorDefinition } from './post-processors/post-processor.ts';
import type { PreTokenizerDefinition } from './pre-tokenizers/pre-tokenizer.ts';

/** What tokenizer.json says, checked (parseTokenizerJson) or made by training. Its parts are as the file has them. */
export interface TokenizerDefinition {
  readonly normalizer: NormalizerDefinition | null;
  readonly preTokenizer: PreTokenizerDefinition | null;
  readonly model: ModelDefinition;
  readonly postProcessor: PostProcessorDefinition | null;
  readonly decoder: DecoderDefinition | null;
  readonly addedTokens: readonly AddedToken[];
}

/** All tokens, index = id. Ids that no token has are holes. */
export function tokensOf({ model, addedTokens }: TokenizerDefinition): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of vocabOf(model)) tokens[id] = token;
  for (const { content, id } of addedTokens) tokens[id] = content;
  return tokens;
}

/** Ids by token. */
export function idsOf({ model, addedTokens }: TokenizerDefinition): ReadonlyMap<string, number> {
  return new Map([...vocabOf(model), ...addedTokens.map(({ content, id }) => [content, id] as const)]);
}
