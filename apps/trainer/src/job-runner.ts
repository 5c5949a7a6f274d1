/**
 * Takes jobs from the queue and runs each in a process of its own. A trainer that dies gives its job back to the queue;
 * who takes it next goes on from the last checkpoint.
 */
import { type Bus, createEvent, type Delivery, type EventData, type EventType, type Subscription } from '@crucible/bus';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { ModelRegistry } from '@crucible/checkpoint';
import { type Logger, WorkerProcess } from '@crucible/service';
import { isFinal, isJobId, type Job, type JobChange, type JobProgress } from './job.ts';
import { assertJobId, checkedJsonSpec } from './job-spec.ts';
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
  /** Added to the environment of the processes of jobs. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts without an end before a job counts as failed: one that kills its process must not do so for ever. */
const mostCrashes = 5;
/** Milliseconds between progress events that are kept and published. */
const progressInterval = 1000;
const redeliveries = 1_000_000;
/** Milliseconds until the process of a job must be up, on a machine that has other things to do. */
const startDeadline = 120_000;
/** Milliseconds that a cancelled job may take to stop by itself. */
const cancelGrace = 20_000;

export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, AbortController>();
  readonly #taken = new Set<Promise<void>>();
  #subscription: Subscription | undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { bus, ackWait, store } = this.#options;
    this.#subscription = await bus.consume(
      'jobs',
      { maxInFlight: 1, ackWait, maxDeliver: redeliveries, backoff: [500, 2000], signal: this.#stopping.signal },
      async (delivery) => {
        const taken = this.#take(delivery);
        this.#taken.add(taken);
        await taken.finally(() => this.#taken.delete(taken));
      },
    );
    // Submitted, but perhaps not put into the queue before a crash; a repeated event is dropped or finds the job done.
    for (const job of store.list()) if (job.state === 'queued') await this.enqueue(job);
  }

  /** Puts a job into the queue; putting it there again changes nothing. */
  async enqueue(job: Job): Promise<void> {
    const { id: jobId, kind, spec } = job;
    const data = { jobId, kind, spec: spec as Record<string, unknown> };
    const event = { id: eventId(job, 'submitted'), source: '/trainer', subject: jobId, data };
    await this.#options.bus.publish(createEvent('crucible.job.submitted', event));
  }

  /** Cancels a job: at once when it waits, after the step it is in when it runs. */
  async cancel(id: string): Promise<Job> {
    const { store } = this.#options;
    const job = store.get(id);
    if (job.state === 'succeeded' || job.state === 'failed') {
      throw new CrucibleError('failed-precondition', `job ${id} has ${job.state} already`, { at: 'job_id' });
    }
    const running = this.#running.get(id);
    if (running) running.abort(cancellation());
    else if (job.state !== 'cancelled') await this.#end(job, 'cancelled');
    return store.get(id);
  }

  /** Gives back what runs and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort(new CrucibleError('unavailable', 'the trainer is shutting down'));
    await this.#subscription?.closed;
    // The queue does not wait for what it has taken back; what it says on its way out needs the bus.
    await Promise.allSettled(this.#taken);
  }

  async #take(delivery: Delivery<'crucible.job.submitted'>): Promise<void> {
    const { store, log } = this.#options;
    const job = await this.#jobOf(delivery);
    const { id, kind } = job;
    if (isFinal(job.state)) {
      // Ended by a trainer that died before it could say so, perhaps.
      if (delivery.attempt > 1) await this.#tellEnd(job);
      return;
    }
    const attempts = job.attempts + 1;
    if (job.crashes + (job.state === 'running' ? 1 : 0) >= mostCrashes) {
      const message = `the job's process, or the trainer with it, ended unexpectedly ${mostCrashes} times`;
      await this.#end(job, 'failed', new CrucibleError('internal', message));
      return;
    }
    const cancelled = new AbortController();
    this.#running.set(id, cancelled);
    const heartbeat = setInterval(() => delivery.working(), Math.max(50, this.#options.ackWait / 4));
    try {
      store.append(id, { kind: 'state', state: 'running', attempts });
      await this.#publish('crucible.job.started', id, { jobId: id, kind, attempt: attempts });
      await this.#run(store.get(id), cancelled, delivery.signal);
    } catch (reason) {
      const error = CrucibleError.from(reason);
      // The queue takes the job back and gives it out again.
      if (delivery.signal.aborted) {
        store.append(id, { kind: 'state', state: 'queued', attempts });
        throw error;
      }
      if (cancelled.signal.aborted) {
        await this.#end(store.get(id), 'cancelled');
        return;
      }
      if (error.code === 'unavailable' || error.code === 'deadline-exceeded') {
        log.warn({ job: id, attempt: attempts, error: error.message }, 'the job goes on from its last checkpoint');
        throw error;
      }
      log[error.code === 'internal' ? 'error' : 'warn'](
        { job: id, code: error.code, error: error.message },
        'the job failed',
      );
      await this.#end(store.get(id), 'failed', error).catch((unsaid: unknown) => {
        log.error(
          { job: id, error: CrucibleError.from(unsaid).message },
          'the end of the job cannot be recorded; it is tried again',
        );
        throw unsaid;
      });
    } finally {
      clearInterval(heartbeat);
      this.#running.delete(id);
    }
  }

  /** The job of a delivery. One that did not come by a call is checked now, and given up when it is wrong. */
  async #jobOf({ event, reject }: Delivery<'crucible.job.submitted'>): Promise<Job> {
    const { store, models } = this.#options;
    const { jobId: id, kind, spec } = event.data;
    const known = store.find(id);
    if (known) return known;
    try {
      assertJobId(id);
      const checked = checkedJsonSpec(spec, new ModelRegistry(models));
      if (checked.kind !== kind) throw invalidInput(`kind is ${kind}, spec is that of ${checked.kind}`, { at: 'kind' });
      return store.create({ id, kind: checked.kind, spec: checked.json, createdAt: event.time });
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      if (code !== 'invalid-input' && code !== 'not-found') throw reason;
      this.#options.log.error({ job: id, code, error: message }, 'a job from the queue was refused');
      if (isJobId(id)) await this.#publish('crucible.job.failed', id, { jobId: id, kind, code, message });
      return reject(message);
    }
  }

  async #run(job: Job, cancelled: AbortController, stopping: AbortSignal): Promise<void> {
    const { store, models } = this.#options;
    const signal = AbortSignal.any([cancelled.signal, stopping]);
    const worker = await WorkerProcess.start<TrainingMethods>(new URL('./training-worker.ts', import.meta.url), {
      name: `the process of job ${job.id}`,
      env: this.#options.env,
      startDeadline,
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
            // Cancelled by another trainer
            if (isFinal(store.get(job.id).state)) cancelled.abort(cancellation());
            if (item.kind === 'published') {
              outbox.add(() => this.#announce(job, item.model));
              return;
            }
            const isWanted = item.step === item.steps || item.message !== undefined;
            if (!isWanted && item.stage === lastStage && performance.now() - lastProgress < progressInterval) return;
            lastProgress = performance.now();
            lastStage = item.stage;
            outbox.add(() => this.#progress(job, item));
          },
        },
      );
      await outbox.done();
      await this.#announceMissed(store.get(job.id), result.models);
      await this.#end(store.get(job.id), 'succeeded');
    } finally {
      signal.removeEventListener('abort', force);
      await worker.stop();
      await outbox.done();
    }
  }

  async #progress(job: Job, { stage, step, steps, message, ...given }: JobProgress): Promise<void> {
    const metrics = Object.fromEntries(Object.entries(given.metrics).filter(([, value]) => Number.isFinite(value)));
    const progress = { stage, step, steps, metrics, ...(message !== undefined && { message }) };
    if (!this.#record(job.id, { kind: 'progress', ...progress })) return;
    await this.#publish('crucible.job.progress', job.id, { jobId: job.id, kind: job.kind, ...progress });
  }

  async #announce(job: Job, { name, version, uri, stage, step, parent, sha256 }: PublishedModel): Promise<void> {
    const data = { model: name, version, uri, stage, step, sha256 };
    const id = eventId(job, `${name}@${version}`);
    await this.#publish('crucible.weights.published', name, parent === undefined ? data : { ...data, parent }, id);
    this.#record(job.id, { kind: 'published', model: { name, version } });
  }

  /** Adds to what is known of a job, unless it has ended meanwhile: cancelled by another trainer. */
  #record(id: string, change: JobChange): boolean {
    const { store } = this.#options;
    if (isFinal(store.get(id).state)) return false;
    store.append(id, change);
    return true;
  }

  /** Announces what a trainer put into the registry and then died before it could announce it. */
  async #announceMissed(job: Job, references: readonly string[]): Promise<void> {
    const announced = new Set(job.outputs.map(({ name, version }) => `${name}@${version}`));
    const registry = new ModelRegistry(this.#options.models);
    for (const reference of references) {
      if (!announced.has(reference)) await this.#announce(job, registry.resolve(reference));
    }
  }

  async #end(job: Job, state: 'succeeded' | 'failed' | 'cancelled', error?: CrucibleError): Promise<void> {
    if (isFinal(job.state)) return;
    const told = error && { code: error.code, message: error.message };
    const { id, attempts } = job;
    await this.#tellEnd(
      this.#options.store.append(id, { kind: 'state', state, attempts, ...(told && { error: told }) }),
    );
  }

  async #tellEnd(job: Job): Promise<void> {
    const { id, kind, state, error, outputs, metrics } = job;
    switch (state) {
      case 'succeeded': {
        const models = outputs.map(({ name, version }) => `${name}@${version}`);
        const data = { jobId: id, kind, outputs: { models }, metrics: { ...metrics } };
        await this.#publish('crucible.job.completed', id, data, eventId(job, 'completed'));
        return;
      }
      case 'failed':
        await this.#publish('crucible.job.failed', id, { jobId: id, kind, ...error! }, eventId(job, 'failed'));
        return;
      case 'cancelled':
        await this.#publish('crucible.job.cancelled', id, { jobId: id, kind }, eventId(job, 'cancelled'));
        return;
      case 'queued':
      case 'running':
        throw new Error(`internal: job ${id} has not ended`);
    }
  }

  /**
   * Tells the world; with an `id`, telling it again soon changes nothing. A bus that is out of reach is logged and does
   * not stop the training.
   */
  async #publish<T extends EventType>(type: T, subject: string, data: EventData<T>, id?: string): Promise<void> {
    try {
      const event = createEvent(type, { source: '/trainer', subject, data, ...(id !== undefined && { id }) });
      await this.#options.bus.publish(event);
    } catch (reason) {
      this.#options.log.error(
        { event: type, subject, error: CrucibleError.from(reason).message },
        'an event was not published',
      );
    }
  }
}

/** The id of what is said once in the life of a job. A home that was emptied may see the same job id again. */
function eventId({ id, createdAt }: Job, what: string): string {
  return `job-${id}-${Date.parse(createdAt)}-${what}`;
}

function cancellation(): CrucibleError {
  return new CrucibleError('cancelled', 'the job was cancelled');
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
