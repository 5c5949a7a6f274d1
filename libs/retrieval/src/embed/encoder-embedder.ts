/** Vectors of an encoder that a user gives, with the pooling and the prompts that its folder names. */
import { GivenEncoder } from '../encode/given-encoder.ts';
import { unit } from '../search/dense-index.ts';
import type { Embedder, SearchFit, TextKind } from './embedder.ts';

export class EncoderEmbedder implements Embedder {
  readonly version: string;
  readonly dimensions: number;
  readonly coarse: number;
  readonly fit: SearchFit | undefined;
  readonly #encoder: GivenEncoder;

  private constructor(encoder: GivenEncoder, fit: SearchFit | undefined) {
    this.#encoder = encoder;
    this.version = `encoder-${encoder.digest.slice(0, 16)}`;
    this.dimensions = encoder.width;
    this.coarse = encoder.width;
    this.fit = fit;
  }

  /** `path`: a Hugging Face folder or an ONNX file. Throws a CrucibleError when it is no model for embeddings. */
  static async load(path: string, fit?: SearchFit): Promise<EncoderEmbedder> {
    return new EncoderEmbedder(await GivenEncoder.open(path, 'embedding'), fit);
  }

  static parse(bytes: Uint8Array): Promise<EncoderEmbedder> {
    const { folder, fit } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { folder: string; fit?: SearchFit };
    return EncoderEmbedder.load(folder, fit);
  }

  async embed(texts: readonly string[], kind: TextKind): Promise<Float32Array[]> {
    const prompt = this.#promptOf(kind);
    return (await this.#encoder.encode(texts.map((text) => prompt + text))).map(unit);
  }

  countTokens(text: string, kind: TextKind): number {
    return this.#encoder.countTokens(this.#promptOf(kind) + text);
  }

  #promptOf(kind: TextKind): string {
    const { prompts } = this.#encoder;
    return prompts[kind] ?? (kind === 'passage' ? (prompts['document'] ?? prompts['corpus']) : undefined) ?? '';
  }

  withFit(fit: SearchFit): EncoderEmbedder {
    return new EncoderEmbedder(this.#encoder.share(), fit);
  }

  serialize(): Uint8Array {
    return Buffer.from(JSON.stringify({ kind: 'encoder', folder: this.#encoder.path, fit: this.fit }));
  }

  dispose(): Promise<void> {
    return this.#encoder.dispose();
  }
}
