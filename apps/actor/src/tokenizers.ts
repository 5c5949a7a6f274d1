/** Tokenizers of the models that the policy serves, loaded from their folders when first needed. */
import { fileURLToPath } from 'node:url';
import { CrucibleError } from '@crucible/foundation';
import type { ChatEncoder } from '@crucible/chat-models';
import type { ModelInfo } from '@crucible/protos/model/v1';
import { applyChatTemplate, createStreamDecoder, loadTokenizer, type Tokenizer } from '@crucible/tokenizer';

/** Kept in memory. */
const mostKept = 16;

export class Tokenizers {
  readonly #bySha256 = new Map<string, Tokenizer>();

  encoderOf(model: ModelInfo): ChatEncoder {
    const tokenizer = this.#of(model);
    return {
      encode: (messages) => applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true }),
      createDecoder: () => createStreamDecoder(tokenizer, { skipSpecialTokens: true }),
      textOf: (id) => tokenizer.decode([id]),
    };
  }

  #of({ name, version, uri, tokenizerSha256 }: ModelInfo): Tokenizer {
    const known = this.#bySha256.get(tokenizerSha256);
    if (known) return known;
    try {
      const tokenizer = loadTokenizer(uri.startsWith('file:') ? fileURLToPath(uri) : uri);
      this.#bySha256.set(tokenizerSha256, tokenizer);
      if (this.#bySha256.size > mostKept) this.#bySha256.delete(this.#bySha256.keys().next().value!);
      return tokenizer;
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      // A snapshot may be replaced between two calls; the next try finds its successor.
      throw new CrucibleError(
        code === 'not-found' ? 'unavailable' : code,
        `the tokenizer of ${name}@${version}: ${message}`,
        { cause: reason },
      );
    }
  }
}
