import { fileURLToPath } from 'node:url';
import { CrucibleError } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import { loadTokenizer, type Tokenizer } from '@crucible/tokenizer';

/** Tokenizers that are kept in memory. */
const mostKept = 16;

/** The tokenizers of served models, loaded from their folders when first needed. */
export class Tokenizers {
  readonly #bySha256 = new Map<string, Tokenizer>();

  of({ name, version, uri, tokenizerSha256 }: ModelInfo): Tokenizer {
    const known = this.#bySha256.get(tokenizerSha256);
    if (known) return known;
    let tokenizer: Tokenizer;
    try {
      tokenizer = loadTokenizer(uri.startsWith('file:') ? fileURLToPath(uri) : uri);
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      // A snapshot may be replaced between two calls; the next try finds its successor.
      throw new CrucibleError(
        code === 'not-found' ? 'unavailable' : code,
        `the tokenizer of ${name}@${version}: ${message}`,
        {
          cause: reason,
        },
      );
    }
    this.#bySha256.set(tokenizerSha256, tokenizer);
    if (this.#bySha256.size > mostKept) this.#bySha256.delete(this.#bySha256.keys().next().value!);
    return tokenizer;
  }
}
