/**
 * Takes jobs from the queue and runs each in a process of its own. A trainer that dies gives its job back to the queue;
 * who takes it next goes on from the last checkpoint.
 */
import { type Bus, createEvent, type Delivery, type EventData, type EventType, type Subscription } from '@crucible/bus';
import { CrucibleError } from '@crucible/foundation';
import { type Logger, WorkerProcess } from '@crucible/service';
import { isFinal, type Job, type JobKind } from './job.ts';
import type { JobStore } from './job-store.ts';
import type { PublishedModel, TrainingMethods } from './worker-protocol.ts';

export interface JobRunnerOptions {
  readonly bus: Bus;
  readonly store: JobStore;
  /** The root of the model registry. */
  readonly models: string;
  readonly log: Logger;
  /** Milliseconds without a sign of life after which the queue gives a job to another trainer. */
  readonly ackWait: number;
}

/** Starts of one job before it counts as failed: a job that kills its process must not do so for ever. */
const mostAttempts = 5;
/** Milliseconds between progress events that are kept and published. */
const progressInterval = 1000;
const redeliveries = 1_000_000;
/** Milliseconds that a cancelled job may take to stop by itself. */
const cancelGrace = 20_000;

export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, AbortController>();
  #subscription: Subscription | undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { bus, ackWait, store } = this.#options;
    this.#subscription = await bus.consume(
      'jobs',
      { maxInFlight: 1, ackWait, maxDeliver: redeliveries, backoff: [500, 2000], signal: this.#stopping.signal },
      (delivery) => this.#take(delivery),
    );
    // Submitted, but perhaps not put into the queue before a crash; a repeated event is dropped or finds the job done.
    for (const job of store.list()) if (job.state === 'queued') await this.enqueue(job);
  }

  /** Puts a job into the queue; putting it there again changes nothing. */
  async enqueue({ id, kind, spec }: Job): Promise<void> {
    const data = { jobId: id, kind, spec: spec as Record<string, unknown> };
    await this.#options.bus.publish(
      createEvent('crucible.job.submitted', { id: `job-${id}`, source: '/trainer', subject: id, data }),
    );
  }

  /** Cancels a job: at once when it waits, after the step it is in when it runs. */
  async cancel(id: string): Promise<Job> {
    const { store } = this.#options;
    const job = store.get(id);
    if (job.state === 'succeeded' || job.state === 'failed') {
      throw new CrucibleError('failed-precondition', `job ${id} has ${job.state} already`, { at: 'job_id' });
    }
    const running = this.#running.get(id);
    if (running) running.abort(new CrucibleError('cancelled', 'the job was cancelled'));
    else if (job.state !== 'cancelled') await this.#end(job, 'cancelled');
    return store.get(id);
  }

  /** Gives back what runs and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort(new CrucibleError('unavailable', 'the trainer is shutting down'));
    await this.#subscription?.closed;
  }

  async #take(delivery: Delivery<'crucible.job.submitted'>): Promise<void> {
    const { store, log } = this.#options;
    const { jobId: id, kind, spec } = delivery.event.data;
    const job = store.find(id) ?? store.create({ id, kind: kind as JobKind, spec, createdAt: delivery.event.time });
    if (isFinal(job.state)) return;
    const attempts = job.attempts + 1;
    if (attempts > mostAttempts) {
      await this.#end(
        job,
        'failed',
        new CrucibleError('internal', `the job's process ended unexpectedly ${mostAttempts} times`),
      );
      return;
    }
    const cancelled = new AbortController();
    this.#running.set(id, cancelled);
    const heartbeat = setInterval(() => delivery.working(), Math.max(50, this.#options.ackWait / 4));
    try {
      store.append(id, { kind: 'state', state: 'running', attempts });
      await this.#publish('crucible.job.started', id, { jobId: id, kind, attempt: attempts });
      await this.#run(store.get(id), AbortSignal.any([cancelled.signal, delivery.signal]));
    } catch (reason) {
      const error = CrucibleError.from(reason);
      // The queue takes the job back and gives it out again.
      if (delivery.signal.aborted) throw error;
      if (cancelled.signal.aborted) {
        await this.#end(store.get(id), 'cancelled');
        return;
      }
      if (error.code === 'unavailable') {
        log.warn({ job: id, attempt: attempts, error: error.message }, 'the job goes on from its last checkpoint');
        throw error;
      }
      log.error({ job: id, code: error.code, error: error.message }, 'the job failed');
      await this.#end(store.get(id), 'failed', error);
    } finally {
      clearInterval(heartbeat);
      this.#running.delete(id);
    }
  }

  async #run(job: Job, signal: AbortSignal): Promise<void> {
    const { store, models } = this.#options;
    const worker = await WorkerProcess.start<TrainingMethods>(new URL('./training-worker.ts', import.meta.url), {
      name: `the process of job ${job.id}`,
    });
    // A worker that does not stop by itself when it is told to is stopped by force.
    const force = (): void => void setTimeout(() => void worker.stop(0), cancelGrace).unref();
    signal.addEventListener('abort', force, { once: true });
    const outbox = new Outbox();
    let lastProgress = 0;
    let lastStage = '';
    try {
      const result = await worker.call(
        'run',
        { spec: job.spec, folder: store.folder(job.id), models },
        {
          signal,
          onItem: (item) => {
            if (item.kind === 'published') {
              outbox.add(() => this.#announce(job, item.model));
              return;
            }
            const isLast = item.step === item.steps;
            if (!isLast && item.stage === lastStage && performance.now() - lastProgress < progressInterval) return;
            lastProgress = performance.now();
            lastStage = item.stage;
            outbox.add(() => this.#progress(job, item));
          },
        },
      );
      await outbox.done();
      await this.#end(store.get(job.id), 'succeeded', undefined, result);
    } finally {
      signal.removeEventListener('abort', force);
      await worker.stop();
      await outbox.done();
    }
  }

  async #progress(job: Job, item: Extract<TrainingMethods['run']['item'], { kind: 'progress' }>): Promise<void> {
    const { stage, step, steps, message } = item;
    const metrics = Object.fromEntries(Object.entries(item.metrics).filter(([, value]) => Number.isFinite(value)));
    this.#options.store.append(job.id, { kind: 'progress', stage, step, steps, metrics });
    const data = { jobId: job.id, kind: job.kind, stage, step, steps, metrics };
    await this.#publish('crucible.job.progress', job.id, message === undefined ? data : { ...data, message });
  }

  async #announce(job: Job, { name, version, uri, stage, step, parent, sha256 }: PublishedModel): Promise<void> {
    this.#options.store.append(job.id, { kind: 'published', model: { name, version } });
    const data = { model: name, version, uri, stage, step, sha256 };
    await this.#publish('crucible.weights.published', name, parent === undefined ? data : { ...data, parent });
  }

  async #end(
    job: Job,
    state: 'succeeded' | 'failed' | 'cancelled',
    error?: CrucibleError,
    result: TrainingMethods['run']['result'] = { models: [], metrics: {} },
  ): Promise<void> {
    const { id, kind } = job;
    const told = error && { code: error.code, message: error.message };
    this.#options.store.append(id, { kind: 'state', state, attempts: job.attempts, ...(told && { error: told }) });
    switch (state) {
      case 'succeeded': {
        const data = { jobId: id, kind, outputs: { models: [...result.models] }, metrics: result.metrics };
        await this.#publish('crucible.job.completed', id, data);
        return;
      }
      case 'failed':
        await this.#publish('crucible.job.failed', id, { jobId: id, kind, ...told! });
        return;
      case 'cancelled':
        await this.#publish('crucible.job.cancelled', id, { jobId: id, kind });
    }
  }

  /** Tells the world; a bus that is out of reach is logged and does not stop the training. */
  async #publish<T extends EventType>(type: T, subject: string, data: EventData<T>): Promise<void> {
    try {
      await this.#options.bus.publish(createEvent(type, { source: '/trainer', subject, data }));
    } catch (reason) {
      this.#options.log.error(
        { event: type, subject, error: CrucibleError.from(reason).message },
        'an event was not published',
      );
    }
  }
}

/** Things to do one after the other, in the order they came. */
class Outbox {
  #last: Promise<void> = Promise.resolve();

  add(send: () => Promise<void>): void {
    this.#last = this.#last.then(send);
    this.#last.catch(() => undefined);
  }

  /** Resolves when all is done; rejects with the first failure. */
  async done(): Promise<void> {
    await this.#last;
  }
}
