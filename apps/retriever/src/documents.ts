/** The collections, as the rest of the service sees them: the engine's process, the reader's, and the events of documents. */
import { totalmem } from 'node:os';
import { type Bus, createEvent } from '@crucible/bus';
import { CrucibleError, throwIfCancelled } from '@crucible/foundation';
import type { IngestResult, PreparedSource, SearchRequest, SearchResult } from '@crucible/retrieval';
import { type Logger, WorkerProcess } from '@crucible/service';
import { Reader } from './reader.ts';
import { RevivedWorker, uriVariable } from './workers.ts';
import type { EmbedderMethods, EmbedProgress, EngineMethods, NamedDigest } from './worker-protocol.ts';

/** Of the machine's memory, that the collections may take. */
const heapShare = 0.75;
/** Events that are published side by side. */
const mostAtOnce = 256;

export class Documents {
  readonly reader = new Reader();
  readonly #engine: RevivedWorker<EngineMethods>;
  readonly #uri: string;
  readonly #bus: Bus;
  readonly #log: Logger;

  constructor({ uri, bus, log }: { readonly uri: string; readonly bus: Bus; readonly log: Logger }) {
    this.#uri = uri;
    this.#bus = bus;
    this.#log = log;
    this.#engine = new RevivedWorker(new URL('./engine-worker.ts', import.meta.url), {
      name: 'the process of the collections',
      env: environment(uri),
    });
  }

  /** Starts the engine, so that a store that cannot be opened is told at once. */
  async start(): Promise<void> {
    await this.#engine.start();
  }

  async ingest(collection: string, sources: readonly PreparedSource[], signal?: AbortSignal): Promise<IngestResult[]> {
    const results = await this.#engine.call('ingest', { collection, sources }, { ...(signal && { signal }) });
    const events = results.flatMap(({ documents, removed }, i) => [
      ...documents.map(({ id: documentId, title, digest: sha256 }) => {
        const passages = sources[i]!.documents.find(({ id }) => id === documentId)?.chunks.length ?? 0;
        const data = { documentId, collection, title, passages, sha256 };
        return createEvent('crucible.document.ingested', { source: '/retriever', subject: documentId, data });
      }),
      ...removed.map((id) => deleted(collection, id)),
    ]);
    await this.#publish(events);
    return results;
  }

  has(collection: string, sources: readonly NamedDigest[]): Promise<boolean[]> {
    return this.#engine.call('has', { collection, sources });
  }

  async remove(collection: string, ids: readonly string[], sources: readonly string[]): Promise<string[]> {
    const removed = await this.#engine.call('remove', { collection, ids, sources });
    await this.#publish(removed.map((id) => deleted(collection, id)));
    return removed;
  }

  sources(collection: string, prefix: string): Promise<string[]> {
    return this.#engine.call('sources', { collection, prefix });
  }

  search(collection: string, request: SearchRequest, signal: AbortSignal): Promise<SearchResult> {
    return this.#engine.call('search', { collection, request }, { signal });
  }

  call<K extends 'get' | 'embed' | 'list' | 'collections' | 'drop'>(
    method: K,
    args: EngineMethods[K]['args'],
  ): Promise<EngineMethods[K]['result']> {
    return this.#engine.call(method, args);
  }

  /** Work on a collection's models, in a process of its own. */
  async model<K extends keyof EmbedderMethods>(
    method: K,
    args: EmbedderMethods[K]['args'],
    signal: AbortSignal,
    onProgress: (progress: EmbedProgress) => void,
  ): Promise<void> {
    await using worker = await WorkerProcess.start<EmbedderMethods>(new URL('./embedder-worker.ts', import.meta.url), {
      name: 'the process of the embedder',
      env: environment(this.#uri),
      startDeadline: 120_000,
    });
    await worker.call(method, args, { signal, onItem: onProgress });
    throwIfCancelled(signal, 'the job');
  }

  async close(): Promise<void> {
    await Promise.all([this.#engine.close(), this.reader.close()]);
  }

  async #publish(events: readonly Parameters<Bus['publish']>[0][]): Promise<void> {
    try {
      for (let from = 0; from < events.length; from += mostAtOnce)
        await Promise.all(events.slice(from, from + mostAtOnce).map((event) => this.#bus.publish(event)));
    } catch (reason) {
      this.#log.error({ error: CrucibleError.from(reason).message }, 'events of documents cannot be published');
    }
  }
}

/** Of a process that holds collections in memory: Node would stop at four gigabytes of it. */
function environment(uri: string): Readonly<Record<string, string>> {
  // Of the container, where there is one.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return { [uriVariable]: uri, NODE_OPTIONS: `--max-old-space-size=${Math.round((memory * heapShare) / 2 ** 20)}` };
}

function deleted(collection: string, documentId: string) {
  return createEvent('crucible.document.deleted', {
    source: '/retriever',
    subject: documentId,
    data: { documentId, collection },
  });
}
