import type { DecodeOptions, Tokenizer } from './tokenizer.ts';

/** Decodes ids as they come: the texts returned, joined, are `tokenizer.decode` of all ids. */
export interface StreamDecoder {
  /** The text that is now certain; characters whose last byte is still to come are held back. */
  push(id: number): string;
  /** What was held back, as U+FFFD; the decoder can then be used anew. */
  flush(): string;
}

export function createStreamDecoder(tokenizer: Tokenizer, options: DecodeOptions = {}): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => {
      const bytes = tokenizer.tokenBytes(id);
      return options.skipSpecialTokens && tokenizer.isSpecial(id) ? '' : decoder.decode(bytes, { stream: true });
    },
    flush: () => decoder.decode(),
  };
}
