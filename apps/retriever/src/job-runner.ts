/**
 * Takes jobs from the queue `ingests` and does them. One that is broken off, by a crash or a stop, is given out again and goes
 * on where it was: files that are in the collection with the same bytes are left alone, a training goes on from its last
 * checkpoint, vectors that are there are not made anew.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { type Bus, createEvent, type Delivery, type EventData, type EventType, type Subscription } from '@crucible/bus';
import { CrucibleError, throwIfCancelled } from '@crucible/foundation';
import { type EmbedderSpec, type IngestSpec, type JobSpec, JobSpecSchema } from '@crucible/protos/retriever/v1';
import type { PreparedSource } from '@crucible/retrieval';
import type { Logger } from '@crucible/service';
import type { Documents } from './documents.ts';
import { FileTree, resolvePath } from './files.ts';
import { assertJobId, isFinal, type Job, type JobCounts, type JobStore, noCounts } from './job-store.ts';
import { assertJobSpec, checkedSettings, collectionOf } from './requests.ts';
import type { FileToRead } from './worker-protocol.ts';

export interface JobRunnerOptions {
  readonly bus: Bus;
  readonly store: JobStore;
  readonly documents: Documents;
  readonly log: Logger;
  /** A folder for what a job needs until its end. */
  readonly scratch: string;
  /** Milliseconds without a sign of life after which the queue gives a job to another retriever. */
  readonly ackWait: number;
}

const mostFailures = 100;
/** Starts without an end before a job counts as failed. */
const mostAttempts = 20;
/** Milliseconds between records of the progress. */
const progressInterval = 500;

export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, AbortController>();
  readonly #taken = new Set<Promise<void>>();
  #subscription: Subscription | undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    mkdirSync(options.scratch, { recursive: true });
  }

  async start(): Promise<void> {
    const { bus, ackWait, store } = this.#options;
    this.#subscription = await bus.consume(
      'ingests',
      { maxInFlight: 1, ackWait, maxDeliver: 1_000_000, backoff: [500, 2000], signal: this.#stopping.signal },
      async (delivery) => {
        const taken = this.#take(delivery);
        this.#taken.add(taken);
        await taken.finally(() => this.#taken.delete(taken));
      },
    );
    for (const job of store.list()) if (job.state === 'queued') await this.enqueue(job);
  }

  async enqueue({ id: jobId, spec }: Job): Promise<void> {
    const data = { jobId, spec: spec as Record<string, unknown> };
    const event = { id: `ingest-${jobId}`, source: '/retriever', subject: jobId, data };
    await this.#options.bus.publish(createEvent('crucible.ingest.requested', event));
  }

  async cancel(id: string): Promise<Job> {
    const { store } = this.#options;
    const job = store.get(id);
    if (job.state === 'succeeded' || job.state === 'failed') {
      throw new CrucibleError('failed-precondition', `job ${id} has ${job.state} already`, { at: 'job_id' });
    }
    if (job.state === 'cancelled') return job;
    const running = this.#running.get(id);
    store.update(id, { cancelling: true });
    if (running) running.abort(cancellation());
    else if (job.state === 'queued') await this.#end(id, 'cancelled');
    return store.get(id);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new CrucibleError('unavailable', 'the retriever is shutting down'));
    await this.#subscription?.closed;
    await Promise.allSettled(this.#taken);
  }

  async #take(delivery: Delivery<'crucible.ingest.requested'>): Promise<void> {
    const { store, log, ackWait } = this.#options;
    const job = await this.#jobOf(delivery);
    const { id } = job;
    if (isFinal(job.state)) return;
    if (job.cancelling) return this.#end(id, 'cancelled');
    if (job.attempts >= mostAttempts) {
      return this.#end(
        id,
        'failed',
        new CrucibleError('internal', `it was begun ${mostAttempts} times and came to no end`),
      );
    }
    const cancelled = new AbortController();
    this.#running.set(id, cancelled);
    const heartbeat = setInterval(
      () => {
        delivery.working();
        // By another retriever of the same home
        if (store.find(id)?.cancelling) cancelled.abort(cancellation());
      },
      Math.max(50, ackWait / 4),
    );
    try {
      store.update(id, { state: 'running', attempts: job.attempts + 1 });
      await this.#publish('crucible.job.started', id, { jobId: id, kind: 'ingest', attempt: job.attempts + 1 });
      await this.#run(id, AbortSignal.any([cancelled.signal, delivery.signal]));
      await this.#end(id, 'succeeded');
    } catch (reason) {
      const error = CrucibleError.from(reason);
      if (delivery.signal.aborted) {
        store.update(id, { state: 'queued', attempts: job.attempts });
        throw error;
      }
      if (cancelled.signal.aborted) {
        await this.#end(id, 'cancelled');
        return;
      }
      if (error.code === 'unavailable' || error.code === 'deadline-exceeded') {
        log.warn({ job: id, error: error.message }, 'the job is begun again');
        throw error;
      }
      log.warn({ job: id, code: error.code, error: error.message, stack: error.stack }, 'the job failed');
      await this.#end(id, 'failed', error);
    } finally {
      clearInterval(heartbeat);
      this.#running.delete(id);
    }
  }

  async #jobOf({ event, reject }: Delivery<'crucible.ingest.requested'>): Promise<Job> {
    const { store, log } = this.#options;
    const { jobId: id, spec } = event.data;
    const known = store.find(id);
    if (known) return known;
    try {
      assertJobId(id);
      assertJobSpec(specOf(spec));
      return store.create(id, spec, event.time);
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      log.error({ job: id, code, error: message }, 'a job from the queue was refused');
      await this.#publish('crucible.job.failed', id, { jobId: id, kind: 'ingest', code, message });
      return reject(message);
    }
  }

  async #run(id: string, signal: AbortSignal): Promise<void> {
    const spec = specOf(this.#options.store.get(id).spec);
    const collection = collectionOf(spec.collection);
    switch (spec.kind.case) {
      case 'ingest':
        return this.#ingest(id, collection, spec.kind.value, signal);
      case 'embedder':
        return this.#embed(id, collection, spec.kind.value, signal);
      case 'reranker':
        return this.#rerank(id, collection, spec.kind.value.folder, signal);
      case undefined:
        throw new Error('internal: a job without anything to do was taken');
    }
  }

  async #ingest(id: string, collection: string, spec: IngestSpec, signal: AbortSignal): Promise<void> {
    const { documents } = this.#options;
    const settings = checkedSettings(spec);
    const tree = new FileTree(resolvePath(spec.path));
    const { files: total, skipped } = await tree.count(signal);
    const counts = { ...noCounts, total, skipped };
    const failures: { at: string; message: string }[] = [];
    const fail = (at: string, message: string): void => {
      counts.failed++;
      if (failures.length < mostFailures) failures.push({ at, message });
    };
    const report = this.#reporter(id);
    await report('reading', counts, failures);

    // A batch is read while the one before it is written.
    const batches = tree.batches(signal);
    const read = async (): Promise<Batch | undefined> => {
      const next = await batches.next();
      return next.done ? undefined : this.#read(collection, next.value, settings);
    };
    try {
      let next = read();
      for (let batch = await next; batch; batch = await next) {
        const { sources, unchanged, failed } = batch;
        throwIfCancelled(signal, 'the ingest');
        next = read();
        next.catch(() => undefined);
        for (const { name, message } of failed) fail(name, message);
        if (sources.length > 0) {
          const results = await documents.ingest(collection, sources, signal);
          for (const [n, { passages, removed }] of results.entries()) {
            counts.ingested++;
            counts.passages += passages;
            counts.removed += removed.length;
            for (const { at, message } of sources[n]!.failures)
              if (failures.length < mostFailures) failures.push({ at, message });
          }
        }
        counts.unchanged += unchanged;
        counts.done += batch.files;
        await report('reading', counts, failures);
      }
    } finally {
      // Closes the folder that it is in.
      await batches.return();
    }
    for (const { name, message } of tree.unreadable) fail(name, message);
    await report('reading', counts, failures, true);
    if (spec.prune) {
      const gone = (await documents.sources(collection, tree.prefix)).filter((name) => !tree.has(name));
      counts.removed += (await documents.remove(collection, [], gone)).length;
      await report('reading', counts, failures, true);
    }
  }

  /** What of a batch must be put in. */
  async #read(
    collection: string,
    batch: readonly FileToRead[],
    settings: ReturnType<typeof checkedSettings>,
  ): Promise<Batch> {
    const { documents } = this.#options;
    const digests = await documents.reader.read('digests', batch, settings);
    const known = digests.flatMap(({ value }) => value ?? []);
    const there = await documents.has(collection, known);
    const isThere = new Set(known.filter((_digest, i) => there[i]).map(({ name }) => name));
    const failed = digests.flatMap(({ failure }) => failure ?? []);
    const wanted = batch.filter(({ name }) => !isThere.has(name) && !failed.some((failure) => failure.name === name));
    const prepared = wanted.length === 0 ? [] : await documents.reader.read('prepare', wanted, settings);
    return {
      files: batch.length,
      sources: prepared.flatMap(({ value }) => value ?? []),
      unchanged: isThere.size,
      failed: [...failed, ...prepared.flatMap(({ failure }) => failure ?? [])],
    };
  }

  async #embed(
    id: string,
    collection: string,
    { folder, steps, seed }: EmbedderSpec,
    signal: AbortSignal,
  ): Promise<void> {
    const report = this.#reporter(id);
    const path = folder === '' ? '' : resolvePath(folder);
    const args = { collection, folder: path, steps, seed, checkpoint: this.#checkpointOf(id) };
    await this.#options.documents.model('embed', args, signal, ({ stage, done, total }) => {
      void report(stage, { ...noCounts, done, total }, []);
    });
  }

  async #rerank(id: string, collection: string, folder: string, signal: AbortSignal): Promise<void> {
    const report = this.#reporter(id);
    const args = { collection, folder: folder === '' ? '' : resolvePath(folder) };
    await this.#options.documents.model('rerank', args, signal, ({ stage, done, total }) => {
      void report(stage, { ...noCounts, done, total }, []);
    });
  }

  /** Of a training, until the job's end. */
  #checkpointOf(id: string): string {
    return join(this.#options.scratch, `${id}.training`);
  }

  /** Records and tells how far a job is, now and then, and whenever it is told to. */
  #reporter(id: string) {
    let last = -Infinity;
    let lastStage = '';
    return async (
      stage: string,
      counts: JobCounts,
      failures: readonly { readonly at: string; readonly message: string }[],
      always = false,
    ): Promise<void> => {
      if (!always && stage === lastStage && performance.now() - last < progressInterval) return;
      lastStage = stage;
      last = performance.now();
      this.#options.store.update(id, { stage, counts: { ...counts }, failures: [...failures] });
      const { done: step, total: steps, ...metrics } = counts;
      await this.#publish('crucible.job.progress', id, { jobId: id, kind: 'ingest', stage, step, steps, metrics });
    };
  }

  async #end(id: string, state: 'succeeded' | 'failed' | 'cancelled', error?: CrucibleError): Promise<void> {
    const told = error && { code: error.code, message: error.message };
    rmSync(this.#checkpointOf(id), { force: true });
    const { counts } = this.#options.store.update(id, { state, ...(told && { error: told }) });
    const common = { jobId: id, kind: 'ingest' };
    if (state === 'succeeded')
      await this.#publish('crucible.job.completed', id, { ...common, outputs: { models: [] }, metrics: { ...counts } });
    else if (state === 'failed') await this.#publish('crucible.job.failed', id, { ...common, ...told! });
    else await this.#publish('crucible.job.cancelled', id, common);
  }

  async #publish<T extends EventType>(type: T, subject: string, data: EventData<T>): Promise<void> {
    try {
      await this.#options.bus.publish(createEvent(type, { source: '/retriever', subject, data }));
    } catch (reason) {
      this.#options.log.error(
        { type, subject, error: CrucibleError.from(reason).message },
        'an event cannot be published',
      );
    }
  }
}

interface Batch {
  readonly files: number;
  readonly sources: readonly PreparedSource[];
  readonly unchanged: number;
  readonly failed: readonly { readonly name: string; readonly message: string }[];
}

function specOf(json: unknown): JobSpec {
  try {
    return fromJson(JobSpecSchema, json as JsonValue);
  } catch (reason) {
    throw new CrucibleError(
      'invalid-input',
      `spec: it is no crucible.retriever.v1.JobSpec: ${(reason as Error).message}`,
      {
        at: 'spec',
        cause: reason,
      },
    );
  }
}

function cancellation(): CrucibleError {
  return new CrucibleError('cancelled', 'the job was cancelled');
}
