/** Vectors of a Hugging Face encoder, with the pooling and the prompts that its folder names. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadModel } from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { SequenceEncoder } from '@crucible/inference';
import { loadTokenizer, type Tokenizer } from '@crucible/tokenizer';
import { unit } from '../search/dense-index.ts';
import type { Embedder, SearchFit } from './embedder.ts';

interface Parts {
  readonly folder: string;
  readonly version: string;
  readonly encoder: SequenceEncoder;
  readonly tokenizer: Tokenizer;
  readonly maxTokens: number;
  readonly prompts: Readonly<Record<string, string>>;
  readonly dimensions: number;
  readonly fit: SearchFit | undefined;
  /** Embedders that share the encoder: the last one disposes of it. */
  readonly users: { count: number };
}

export class EncoderEmbedder implements Embedder {
  readonly version: string;
  readonly dimensions: number;
  readonly coarse: number;
  readonly fit: SearchFit | undefined;
  readonly #parts: Parts;
  /** The encoder takes one call at a time. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(parts: Parts) {
    this.#parts = parts;
    parts.users.count++;
    this.version = parts.version;
    this.dimensions = parts.dimensions;
    this.coarse = parts.dimensions;
    this.fit = parts.fit;
  }

  /** Throws a CrucibleError when the folder holds no model for embeddings. */
  static load(folder: string, fit?: SearchFit): EncoderEmbedder {
    const path = resolve(folder);
    const model = loadModel(path, { kind: 'embedding' });
    if (model.kind !== 'embedding') throw invalidInput(`${path} holds no encoder`, { at: 'folder' });
    const { config, weights, maxTokens, prompts = {} } = model;
    const version = createHash('sha256').update(JSON.stringify([config, model.pooling, prompts, maxTokens]));
    const files = readdirSync(path).filter((name) => /\.safetensors$|^tokenizer\.json$/.test(name));
    for (const name of files.sort()) version.update(readFileSync(join(path, name)));
    return new EncoderEmbedder({
      folder: path,
      version: `encoder-${version.digest('hex').slice(0, 16)}`,
      encoder: new SequenceEncoder(weights, config, model),
      tokenizer: loadTokenizer(path),
      maxTokens: Math.min(maxTokens ?? config.maxPositions, config.maxPositions, 512),
      prompts,
      dimensions: config.hiddenSize,
      fit,
      users: { count: 0 },
    });
  }

  static parse(bytes: Uint8Array): EncoderEmbedder {
    const { folder, fit } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { folder: string; fit?: SearchFit };
    return EncoderEmbedder.load(folder, fit);
  }

  async embed(texts: readonly string[], kind: 'query' | 'passage'): Promise<Float32Array[]> {
    const { encoder, prompts } = this.#parts;
    const prompt = prompts[kind] ?? (kind === 'passage' ? prompts['document'] : undefined) ?? '';
    const sequences = texts.map((text) => ({ ids: this.#idsOf(prompt + text) }));
    const own = this.#last.then(() => encoder.encode(sequences));
    this.#last = own.catch(() => undefined);
    return (await own).map(unit);
  }

  withFit(fit: SearchFit): EncoderEmbedder {
    return new EncoderEmbedder({ ...this.#parts, fit });
  }

  serialize(): Uint8Array {
    return Buffer.from(JSON.stringify({ kind: 'encoder', folder: this.#parts.folder, fit: this.fit }));
  }

  async dispose(): Promise<void> {
    await this.#last;
    if (--this.#parts.users.count === 0) await this.#parts.encoder.dispose();
  }

  /** Too long texts lose their end, not the token that closes them. */
  #idsOf(text: string): readonly number[] {
    const { tokenizer, maxTokens } = this.#parts;
    const ids = [...tokenizer.tokenize(text.slice(0, 64 * maxTokens)).ids];
    if (ids.length === 0) throw new CrucibleError('internal', 'the tokenizer of the encoder makes no tokens');
    return ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ids.at(-1)!];
  }
}
