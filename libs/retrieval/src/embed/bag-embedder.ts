/**
 * A text as the weighted sum of learned vectors of its terms: Σ log(1 + count) · E[term], at length 1. It needs no more than
 * a table, so that it embeds thousands of passages a second; see train-embedder.ts for where the table comes from.
 */
import { createHash } from 'node:crypto';
import { CrucibleError } from '@crucible/foundation';
import { termsOf } from '../search/analyze.ts';
import type { Embedder, SearchFit } from './embedder.ts';

export interface BagModel {
  /** One for each row of the table. */
  readonly terms: readonly string[];
  /** Row after row. */
  readonly table: Float32Array;
  readonly dimensions: number;
  readonly coarse: number;
  readonly fit?: SearchFit;
}

export class BagEmbedder implements Embedder {
  readonly version: string;
  readonly dimensions: number;
  readonly coarse: number;
  readonly fit: SearchFit | undefined;
  readonly #model: BagModel;
  readonly #rows: ReadonlyMap<string, number>;

  constructor(model: BagModel) {
    this.#model = model;
    this.dimensions = model.dimensions;
    this.coarse = model.coarse;
    this.fit = model.fit;
    this.#rows = new Map(model.terms.map((term, row) => [term, row]));
    const { buffer, byteOffset, byteLength } = model.table;
    const digest = createHash('sha256')
      .update(model.terms.join('\n'))
      .update(new Uint8Array(buffer, byteOffset, byteLength));
    this.version = `bag-${digest.digest('hex').slice(0, 16)}`;
  }

  embed(texts: readonly string[]): Promise<Float32Array[]> {
    return Promise.resolve(texts.map((text) => this.embedTerms(termsOf(text))));
  }

  countTokens(text: string): number {
    return termsOf(text).length;
  }

  embedTerms(terms: readonly string[]): Float32Array {
    const counts = new Map<number, number>();
    for (const term of terms) {
      const row = this.#rows.get(term);
      if (row !== undefined) counts.set(row, (counts.get(row) ?? 0) + 1);
    }
    const { table, dimensions } = this.#model;
    const sum = new Float64Array(dimensions);
    for (const [row, count] of counts) {
      const weight = Math.log(1 + count);
      const offset = row * dimensions;
      for (let i = 0; i < dimensions; i++) sum[i]! += weight * table[offset + i]!;
    }
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) || 1;
    return Float32Array.from(sum, (value) => value / length);
  }

  /** The same embedder with what was fitted for it. */
  withFit(fit: SearchFit): BagEmbedder {
    return new BagEmbedder({ ...this.#model, fit });
  }

  serialize(): Uint8Array {
    const { terms, table, dimensions, coarse, fit } = this.#model;
    const head = Buffer.from(JSON.stringify({ kind: 'bag', terms, dimensions, coarse, fit }));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(head.length);
    return Buffer.concat([size, head, new Uint8Array(table.buffer, table.byteOffset, table.byteLength)]);
  }

  /** Throws `data-loss` when the bytes are not what `serialize` made. */
  static parse(bytes: Uint8Array): BagEmbedder {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      const end = 4 + buffer.readUInt32LE(0);
      const { kind, ...model } = JSON.parse(buffer.subarray(4, end).toString('utf8')) as { kind: string } & Omit<
        BagModel,
        'table'
      >;
      const table = new Float32Array(Uint8Array.from(buffer.subarray(end)).buffer);
      if (kind === 'bag' && table.length === model.terms.length * model.dimensions)
        return new BagEmbedder({ ...model, table });
    } catch (reason) {
      throw new CrucibleError('data-loss', 'the embedder of the collection is damaged; train it anew', {
        cause: reason,
      });
    }
    throw new CrucibleError('data-loss', 'the embedder of the collection is damaged; train it anew');
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }
}
