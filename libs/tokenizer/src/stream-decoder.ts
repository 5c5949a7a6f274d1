import type { DecodeOptions, Tokenizer } from './tokenizer.ts';

/** Decodes ids as they come: the texts returned, joined, are `tokenizer.decode` of all ids. */
export interface StreamDecoder {
  /** The text that is now certain; characters whose last byte is still to come are held back. */
  push(id: number): string;
  /** What was held back; the decoder can then be used anew. */
  flush(): string;
}

export function createStreamDecoder(tokenizer: Tokenizer, options: DecodeOptions = {}): StreamDecoder {
  return tokenizer.decodeStream(options);
}
