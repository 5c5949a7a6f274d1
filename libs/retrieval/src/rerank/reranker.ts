/**
 * A cross-encoder that a user gives: reads the query and a passage together and says in one number how well they fit. It is
 * too slow for a whole collection, so it orders anew what a search has found. See `fitReranking` for whether it does so
 * without being asked.
 */
import { GivenEncoder } from '../encode/given-encoder.ts';

/** How a collection goes by its re-ranker where a search does not say. */
export interface RerankingFit {
  /** Passages that it orders. */
  readonly depth: number;
  /** Of its scores against those of the search, 0 to 1; 0: it is left out, since it has not shown that it helps. */
  readonly weight: number;
}

export class Reranker {
  readonly version: string;
  readonly fit: RerankingFit | undefined;
  readonly #encoder: GivenEncoder;

  private constructor(encoder: GivenEncoder, fit: RerankingFit | undefined) {
    this.#encoder = encoder;
    this.version = `cross-${encoder.digest.slice(0, 16)}`;
    this.fit = fit;
  }

  /** `path`: a Hugging Face folder of a classifier with one label or two, or an ONNX file of one. */
  static async load(path: string, fit?: RerankingFit): Promise<Reranker> {
    return new Reranker(await GivenEncoder.open(path, 'scores'), fit);
  }

  static parse(bytes: Uint8Array): Promise<Reranker> {
    const { folder, fit } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { folder: string; fit?: RerankingFit };
    return Reranker.load(folder, fit);
  }

  /** A number for each text, the greater the better; of two labels how much more the second is. */
  async score(query: string, texts: readonly string[]): Promise<number[]> {
    const logits = await this.#encoder.encodePairs(query, texts);
    return logits.map((own) => (own.length === 1 ? own[0]! : own[1]! - own[0]!));
  }

  withFit(fit: RerankingFit): Reranker {
    return new Reranker(this.#encoder.share(), fit);
  }

  serialize(): Uint8Array {
    return Buffer.from(JSON.stringify({ kind: 'cross', folder: this.#encoder.path, fit: this.fit }));
  }

  dispose(): Promise<void> {
    return this.#encoder.dispose();
  }
}
