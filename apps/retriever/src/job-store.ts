/** Jobs of the retriever on the disk: a file each, written anew whenever something has changed. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput, writeFileAtomic } from '@crucible/foundation';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface JobCounts {
  readonly done: number;
  readonly total: number;
  readonly ingested: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: number;
  readonly removed: number;
  readonly passages: number;
}

export interface Job {
  readonly id: string;
  /** crucible.retriever.v1.JobSpec as JSON. */
  readonly spec: unknown;
  readonly state: JobState;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly stage: string;
  readonly counts: JobCounts;
  readonly failures: readonly { readonly at: string; readonly message: string }[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly attempts: number;
  /** Somebody has asked for its end. */
  readonly cancelling: boolean;
}

export const noCounts: JobCounts = {
  done: 0,
  total: 0,
  ingested: 0,
  unchanged: 0,
  skipped: 0,
  failed: 0,
  removed: 0,
  passages: 0,
};

const idPattern = /^[a-z0-9][a-z0-9-]{0,63}$/;
/** Ended jobs beyond so many are forgotten, the oldest first. */
const mostKept = 500;

export class JobStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
  }

  find(id: string): Job | undefined {
    if (!idPattern.test(id)) return undefined;
    const path = this.#path(id);
    if (!statSync(path, { throwIfNoEntry: false })) return undefined;
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Job;
    } catch (reason) {
      throw new CrucibleError('data-loss', `${path}: the record of the job is damaged`, { at: path, cause: reason });
    }
  }

  get(id: string): Job {
    const job = this.find(id);
    if (!job) throw new CrucibleError('not-found', `job ${id} does not exist`, { at: 'job_id' });
    return job;
  }

  /** Newest first. */
  list(): Job[] {
    return readdirSync(this.#root)
      .flatMap((name) => (name.endsWith('.json') ? (this.find(name.slice(0, -5)) ?? []) : []))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id));
  }

  create(id: string, spec: unknown, createdAt: string): Job {
    const common = { id, spec, createdAt, counts: noCounts, failures: [], error: undefined };
    const job: Job = { ...common, state: 'queued', stage: '', attempts: 0, cancelling: false };
    this.#write(job);
    for (const old of this.list()
      .filter(({ state }) => isFinal(state))
      .slice(mostKept))
      rmSync(this.#path(old.id), { force: true });
    return job;
  }

  update(id: string, change: Partial<Omit<Job, 'id' | 'spec' | 'createdAt'>>): Job {
    const job = { ...this.get(id), ...change };
    this.#write(job);
    return job;
  }

  #write(job: Job): void {
    writeFileAtomic(this.#path(job.id), `${JSON.stringify(job)}\n`);
  }

  #path(id: string): string {
    return join(this.#root, `${id}.json`);
  }
}

export function isFinal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

/** Throws `invalid-input`. */
export function assertJobId(id: string): void {
  if (idPattern.test(id)) return;
  throw invalidInput(
    `job_id ${JSON.stringify(id.slice(0, 80))}: 1 to 64 of the characters a-z, 0-9 and - are allowed, the first a letter or digit`,
    {
      at: 'job_id',
    },
  );
}
