/**
 * Jobs on the disk, a folder each: `job.json`, what was asked for, and `events.jsonl`, everything that happened, appended
 * to. A line that a crash cut short is dropped when the store is opened.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import { applyEvent, type Job, type JobChange, type JobEvent, type JobRequest, newJob } from './job.ts';

interface Entry {
  job: Job;
  readonly events: JobEvent[];
  readonly waiting: Set<() => void>;
}

export class JobStore {
  readonly #root: string;
  readonly #entries = new Map<string, Entry>();

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
    for (const id of readdirSync(root)) {
      if (existsSync(join(root, id, 'job.json'))) this.#entries.set(id, readEntry(join(root, id)));
    }
  }

  /** The folder that belongs to a job. */
  folder(id: string): string {
    return join(this.#root, id);
  }

  get(id: string): Job {
    return this.#entry(id).job;
  }

  find(id: string): Job | undefined {
    return this.#entries.get(id)?.job;
  }

  /** All jobs, newest first. */
  list(): Job[] {
    return [...this.#entries.values()]
      .map(({ job }) => job)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id));
  }

  create(request: JobRequest): Job {
    const folder = this.folder(request.id);
    writeFileAtomic(join(folder, 'job.json'), `${JSON.stringify(request, null, 2)}\n`);
    this.#entries.set(request.id, { job: newJob(request), events: [], waiting: new Set() });
    return this.append(request.id, { kind: 'state', state: 'queued', attempts: 0 });
  }

  /** Adds an event; one that changes the state or names a model is on the disk when this returns. */
  append(id: string, change: JobChange): Job {
    const entry = this.#entry(id);
    const event: JobEvent = { sequence: entry.job.lastSequence + 1, time: new Date().toISOString(), change };
    const path = join(this.folder(id), 'events.jsonl');
    const line = `${JSON.stringify(event)}\n`;
    if (change.kind === 'progress') appendFileSync(path, line);
    else appendDurably(path, line);
    entry.events.push(event);
    entry.job = applyEvent(entry.job, event);
    for (const wake of [...entry.waiting]) wake();
    return entry.job;
  }

  /** Events after a sequence, those to come included, until `isLast` says that there are no more. */
  async *watch(
    id: string,
    after: number,
    isLast: (job: Job) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<JobEvent> {
    const entry = this.#entry(id);
    for (let next = after; ;) {
      while (next < entry.events.length) yield entry.events[next++]!;
      if (isLast(entry.job)) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          entry.waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        entry.waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
      signal.throwIfAborted();
    }
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new CrucibleError('not-found', `job ${id} does not exist`, { at: 'job_id' });
    return entry;
  }
}

function appendDurably(path: string, line: string): void {
  const descriptor = openSync(path, 'a');
  try {
    writeSync(descriptor, line);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readEntry(folder: string): Entry {
  const request = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')) as JobRequest;
  const path = join(folder, 'events.jsonl');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  const events = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JobEvent);
  return { job: events.reduce(applyEvent, newJob(request)), events, waiting: new Set() };
}
