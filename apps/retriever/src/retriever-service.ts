/** The retriever: documents in, passages with citations out. */
import { randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import type { Bus } from '@crucible/bus';
import { CrucibleError, type ErrorCode, invalidInput } from '@crucible/foundation';
import { type IngestRequest, JobSpecSchema, RetrieverService, type SourceHeader } from '@crucible/protos/retriever/v1';
import { assertSourceSize, type PartFailure } from '@crucible/retrieval';
import { createServer, implementService, type ServerTls } from '@crucible/rpc';
import { type Logger, logCalls, type Service } from '@crucible/service';
import { Documents } from './documents.ts';
import { JobRunner } from './job-runner.ts';
import { assertJobId, isFinal, JobStore } from './job-store.ts';
import { documentMessage, hitMessage, jobMessage } from './messages.ts';
import {
  assertJobSpec,
  checkedDocument,
  checkedEmbed,
  checkedSearch,
  checkedSource,
  collectionOf,
} from './requests.ts';
import type { ReadResult } from './worker-protocol.ts';

export interface RetrieverDependencies {
  readonly bus: Bus;
  /** Holds the records of the jobs. */
  readonly home: string;
  /** Where the collections are: a folder, or `s3://BUCKET/PREFIX`. */
  readonly store: string;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
  /** Milliseconds without a sign of life after which the queue gives a job to another retriever. Default: 15,000. */
  readonly ackWait?: number;
}

const textsAtOnce = 32;
const mostIds = 10_000;
const mostDocuments = 1000;
const mostFailures = 100;
const mostPage = 500;
const defaultPage = 50;
const mostJobs = 100;
const mostWaiting = 1000;

export async function createRetrieverService(dependencies: RetrieverDependencies): Promise<Service> {
  const { bus, home, store: uri, log, host, port, tls, ackWait = 15_000 } = dependencies;
  const documents = new Documents({ uri, bus, log });
  const store = new JobStore(join(home, 'retriever', 'jobs'));
  const scratch = join(home, 'retriever', 'scratch');
  const runner = new JobRunner({ bus, store, documents, log, scratch, ackWait });

  const service = implementService(RetrieverService, {
    ingest: async (requests, { signal }) => {
      const folder = mkdtempSync(join(tmpdir(), 'crucible-upload-'));
      try {
        const path = join(folder, 'source');
        const header = await receive(requests, path);
        const { name, settings } = checkedSource(header);
        const collection = collectionOf(header.collection);
        const file = { path, name };
        const digest = valueOf((await documents.reader.read('digests', [file], settings))[0]!);
        const [isThere] = await documents.has(collection, [digest]);
        if (isThere) return { unchanged: true };
        const source = valueOf((await documents.reader.read('prepare', [file], settings))[0]!);
        if (source.documents.length === 0) throw nothingReadable(name, source.failures);
        signal.throwIfAborted();
        const [result] = await documents.ingest(collection, [source], signal);
        return {
          documents: result!.documents.slice(0, mostDocuments).map(documentMessage),
          documentCount: result!.documents.length,
          passageCount: result!.passages,
          removedIds: [...result!.removed],
          failures: source.failures.slice(0, mostFailures).map((failure) => ({ ...failure })),
        };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },

    deleteDocuments: async ({ collection, ids, source }) => {
      if (ids.length > mostIds)
        throw invalidInput(`ids: ${ids.length} are given; ${mostIds} are allowed`, { at: 'ids' });
      if (ids.length === 0 && source === '') throw invalidInput('ids: there are none, and no source', { at: 'ids' });
      return { ids: await documents.remove(collectionOf(collection), ids, source === '' ? [] : [source]) };
    },

    search: async (request, { signal }) => {
      const found = await documents.search(collectionOf(request.collection), checkedSearch(request), signal);
      return { hits: found.hits.map(hitMessage), confidence: found.confidence, version: BigInt(found.version) };
    },

    embed: async function* (request, { signal }) {
      const { texts, ...rest } = checkedEmbed(request);
      let version: string | undefined;
      for (let from = 0; from < texts.length; from += textsAtOnce) {
        signal.throwIfAborted();
        // In between, searches have their turn.
        const piece = texts.slice(from, from + textsAtOnce);
        const { vectors, embedder, tokens } = await documents.call('embed', { ...rest, texts: piece });
        version ??= embedder;
        if (embedder !== version)
          throw new CrucibleError('unavailable', `${rest.collection} got another embedder meanwhile; ask again`);
        yield { vectors: vectors.map((vector) => ({ values: [...vector] })), embedder, tokens };
      }
    },

    getDocument: async (request) => {
      const found = await documents.call('get', checkedDocument(request));
      const { record, text, textLength, passages } = found;
      return { document: documentMessage(record), text, textLength, passageCount: passages };
    },

    listDocuments: async ({ collection, pageSize, pageToken }) => {
      if (pageSize > mostPage) throw invalidInput(`page_size: ${pageSize} is above ${mostPage}`, { at: 'page_size' });
      const limit = pageSize === 0 ? defaultPage : pageSize;
      const after = Buffer.from(pageToken, 'base64url').toString();
      const records = await documents.call('list', { collection: collectionOf(collection), after, limit: limit + 1 });
      const page = records.slice(0, limit);
      return {
        documents: page.map(documentMessage),
        nextPageToken: records.length > limit ? Buffer.from(page.at(-1)!.id).toString('base64url') : '',
      };
    },

    listCollections: async () => ({
      collections: (await documents.call('collections', undefined)).map((info) => ({
        name: info.name,
        documentCount: BigInt(info.documents),
        passageCount: BigInt(info.passages),
        embedder: info.embedder,
        embeddedCount: BigInt(info.embedded),
        dimensions: info.dimensions,
        leastDimensions: info.leastDimensions,
        version: BigInt(info.version),
        reranker: info.reranker,
        rerankWeight: info.rerankWeight,
        problem: info.problem,
      })),
    }),

    deleteCollection: async ({ collection }) => {
      await documents.call('drop', { collection: collectionOf(collection) });
      return {};
    },

    submitJob: async ({ jobId, spec }) => {
      const id = jobId === '' ? randomUUID() : jobId;
      assertJobId(id);
      if (!spec) throw invalidInput('spec: it is missing', { at: 'spec' });
      assertJobSpec(spec);
      const json = toJson(JobSpecSchema, spec);
      const known = store.find(id);
      if (known && JSON.stringify(known.spec) !== JSON.stringify(json)) {
        throw new CrucibleError('conflict', `job ${id} exists and has another spec`, { at: 'job_id' });
      }
      if (!known && store.list().filter(({ state }) => !isFinal(state)).length >= mostWaiting) {
        throw new CrucibleError('resource-exhausted', `${mostWaiting} jobs are waiting already`);
      }
      const job = known ?? store.create(id, json, new Date().toISOString());
      if (job.state === 'queued') await runner.enqueue(job);
      return { job: jobMessage(store.get(id)) };
    },

    getJob: ({ jobId }) => ({ job: jobMessage(store.get(jobId)) }),

    listJobs: () => ({ jobs: store.list().slice(0, mostJobs).map(jobMessage) }),

    cancelJob: async ({ jobId }) => ({ job: jobMessage(await runner.cancel(jobId)) }),
  });

  try {
    await documents.start();
    const server = await createServer({
      host,
      port,
      services: [service],
      onCallEnd: logCalls(log),
      ...(tls && { tls }),
    });
    await runner.start();
    log.info({ target: server.target, store: uri }, 'the retriever serves');
    return {
      name: 'retriever',
      target: server.target,
      close: async (graceMs = 10_000) => {
        await runner.stop();
        await server.drain({ graceMs });
        await documents.close();
      },
    };
  } catch (reason) {
    await documents.close();
    throw reason;
  }
}

/** Puts what comes into a file; what is too large is refused as soon as it is. */
async function receive(requests: AsyncIterable<IngestRequest>, path: string): Promise<SourceHeader> {
  let header: SourceHeader | undefined;
  let size = 0;
  const descriptor = openSync(path, 'wx');
  try {
    for await (const { part } of requests) {
      if (part.case === 'header') {
        if (header) throw invalidInput('header: it comes twice', { at: 'header' });
        header = part.value;
        // Wrong ones are told before anything is sent.
        checkedSource(header);
        collectionOf(header.collection);
      } else if (part.case === 'content') {
        if (!header) throw invalidInput('header: it must come before the content', { at: 'header' });
        size += part.value.length;
        assertSourceSize(size, header.name);
        writeSync(descriptor, part.value);
      }
    }
  } finally {
    closeSync(descriptor);
  }
  if (!header) throw invalidInput('header: it is missing', { at: 'header' });
  return header;
}

function valueOf<T>({ value, failure }: ReadResult<T>): T {
  if (failure) throw new CrucibleError(failure.code as ErrorCode, failure.message, { at: failure.name });
  return value!;
}

function nothingReadable(name: string, failures: readonly PartFailure[]): CrucibleError {
  const [first] = failures;
  return invalidInput(`${name}: nothing in it can be read; ${first?.message ?? ''}`, { at: first?.at ?? name });
}
