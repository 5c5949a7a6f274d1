/** A job and the events that make it: its state is what its events add up to. */
import type { ErrorCode } from '@crucible/foundation';

export type JobKind = 'forge' | 'pretrain' | 'sft' | 'reward' | 'ppo' | 'mlm';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface ModelReference {
  readonly name: string;
  readonly version: number;
}

export interface JobProgress {
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** For a person: rows that were left out, a warning. */
  readonly message?: string;
}

/** What happened to a job. JSON-safe. */
export type JobChange =
  | {
      readonly kind: 'state';
      readonly state: JobState;
      readonly attempts: number;
      readonly error?: { readonly code: ErrorCode; readonly message: string };
    }
  | ({ readonly kind: 'progress' } & JobProgress)
  | { readonly kind: 'published'; readonly model: ModelReference };

export interface JobEvent {
  /** Counts from 1 without gaps. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly time: string;
  readonly change: JobChange;
}

/** What was asked for; never changes. `spec` is crucible.trainer.v1.JobSpec as JSON. */
export interface JobRequest {
  readonly id: string;
  readonly kind: JobKind;
  readonly spec: unknown;
  readonly createdAt: string;
}

export interface Job extends JobRequest {
  readonly state: JobState;
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
  readonly outputs: readonly ModelReference[];
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  readonly attempts: number;
  /** Starts that came to no end: the job's process, or the trainer with it, died. */
  readonly crashes: number;
  readonly lastSequence: number;
}

const idPattern = /^[a-z0-9][a-z0-9-]{0,63}$/;

export function isJobId(id: string): boolean {
  return idPattern.test(id);
}

export function isFinal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

export function newJob(request: JobRequest): Job {
  return {
    ...request,
    state: 'queued',
    stage: '',
    step: 0,
    steps: 0,
    metrics: {},
    error: undefined,
    outputs: [],
    startedAt: undefined,
    finishedAt: undefined,
    attempts: 0,
    crashes: 0,
    lastSequence: 0,
  };
}

/** The job after one more event. */
export function applyEvent(job: Job, { sequence, time, change }: JobEvent): Job {
  const next = { ...job, lastSequence: sequence };
  switch (change.kind) {
    case 'progress': {
      const { stage, step, steps, metrics } = change;
      return { ...next, stage, step, steps, metrics };
    }
    case 'published': {
      const others = job.outputs.filter(({ name }) => name !== change.model.name);
      return { ...next, outputs: [...others, change.model] };
    }
    case 'state':
      return {
        ...next,
        state: change.state,
        attempts: change.attempts,
        crashes: job.crashes + (job.state === 'running' && change.state === 'running' ? 1 : 0),
        error: change.error,
        startedAt: change.state === 'running' ? (job.startedAt ?? time) : job.startedAt,
        finishedAt: isFinal(change.state) ? time : undefined,
      };
  }
}
