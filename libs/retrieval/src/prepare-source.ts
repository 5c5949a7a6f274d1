/** A file as what a collection takes in: parsed and chunked. */
import { createHash } from 'node:crypto';
import { chunkDocument, type ChunkOptions } from './chunk/chunk-document.ts';
import type { IncomingSource } from './collection.ts';
import type { Metadata, PartFailure } from './parse/parsed-document.ts';
import { parseSource, type SourceOptions } from './parse/parse-source.ts';

export interface PrepareOptions extends SourceOptions, ChunkOptions {
  /** Of every document, over what the file says. */
  readonly metadata?: Metadata;
}

export interface PreparedSource extends IncomingSource {
  readonly failures: readonly PartFailure[];
}

/** Another one whenever the same bytes would give other passages. */
const preparation = 1;

/** What tells whether a source must be taken in again. */
export function digestSource(bytes: Uint8Array, options: Omit<PrepareOptions, 'countTokens'> = {}): string {
  const { encoding = '', size = 200, metadata = {} } = options;
  const settings = JSON.stringify([preparation, encoding, size, Object.entries(metadata).sort()]);
  return createHash('sha256').update(settings).update(bytes).digest('hex');
}

/** A source of one document has its name as its id; of several, ids are `name#part`. */
export async function prepareSource(
  bytes: Uint8Array,
  name: string,
  options: PrepareOptions = {},
): Promise<PreparedSource> {
  const { documents, failures } = await parseSource(bytes, name, options);
  return {
    name,
    digest: digestSource(bytes, options),
    documents: documents.map((document) => ({
      id: document.part === '' ? name : `${name}#${document.part}`,
      title: document.title,
      text: document.text,
      metadata: { ...document.metadata, ...options.metadata },
      chunks: chunkDocument(document, options),
    })),
    failures,
  };
}
