/** Submits jobs to a trainer and follows them, over lost connections. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { create, type MessageInitShape, toJsonString } from '@bufbuild/protobuf';
import { CrucibleError, type ErrorCode, errorCodes } from '@crucible/foundation';
import { type Job, type JobEvent, JobSpecSchema, JobState, TrainerService } from '@crucible/protos/trainer/v1';
import { type Client, createClient } from '@crucible/rpc';

export type JobSpecInit = MessageInitShape<typeof JobSpecSchema>;

const hour = 3_600_000;

export class JobClient implements Disposable {
  readonly #trainer: Client<typeof TrainerService>;

  constructor(target: string) {
    this.#trainer = createClient(TrainerService, target, {
      retry: ['submitJob', 'getJob', 'listJobs', 'cancelJob'],
      waitForReady: true,
      deadlineMs: 15_000,
    });
  }

  /**
   * Submits a job, or goes on with the one that the same words began and that has not come to its end: its id is made
   * from the spec.
   */
  async submit(spec: JobSpecInit): Promise<Job> {
    const digest = createHash('sha256')
      .update(toJsonString(JobSpecSchema, create(JobSpecSchema, spec)))
      .digest('hex');
    const jobs = await this.list();
    for (let n = 1; ; n++) {
      const jobId = `${digest.slice(0, 12)}-${n}`;
      const known = jobs.find(({ id }) => id === jobId);
      if (known && isFinal(known.state)) continue;
      const { job } = await this.#trainer.submitJob({ jobId, spec });
      return job!;
    }
  }

  async list(): Promise<Job[]> {
    const jobs: Job[] = [];
    for (let pageToken = ''; ;) {
      const page = await this.#trainer.listJobs({ pageSize: 500, pageToken });
      jobs.push(...page.jobs);
      if (page.nextPageToken === '') return jobs;
      pageToken = page.nextPageToken;
    }
  }

  async get(jobId: string): Promise<Job> {
    const { job } = await this.#trainer.getJob({ jobId });
    return job!;
  }

  async cancel(jobId: string): Promise<Job> {
    const { job } = await this.#trainer.cancelJob({ jobId });
    return job!;
  }

  /** Every event of a job from its beginning, to its end. */
  async *watch(jobId: string, signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    for (let afterSequence = 0; ;) {
      try {
        const stream = this.#trainer.watchJob(
          { jobId, afterSequence },
          { deadlineMs: hour, ...(signal && { signal }) },
        );
        for await (const { event } of stream) {
          afterSequence = event!.sequence;
          yield event!;
        }
        return;
      } catch (reason) {
        const { code } = CrucibleError.from(reason);
        if (signal?.aborted === true || (code !== 'unavailable' && code !== 'deadline-exceeded')) throw reason;
        await delay(500);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#trainer.close();
  }
}

export function isFinal(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

/** Throws what a job ended with, unless it succeeded. */
export function assertSucceeded(job: Job): void {
  if (job.state === JobState.FAILED) {
    const { code = 'internal', message = 'the job failed' } = job.error ?? {};
    throw new CrucibleError(isErrorCode(code) ? code : 'internal', message);
  }
  if (job.state === JobState.CANCELLED) throw new CrucibleError('cancelled', 'the job was cancelled');
}

function isErrorCode(code: string): code is ErrorCode {
  return (errorCodes as readonly string[]).includes(code);
}
