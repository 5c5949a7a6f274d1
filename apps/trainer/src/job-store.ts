/**
 * Jobs on the disk, a folder each: `job.json`, what was asked for, and `events.jsonl`, everything that happened, appended
 * to. A line that a crash or a full disk cut short is not read, and gone with the next one that is written.
 *
 * Several trainers may share the folder: each reads what the others wrote. Only the one that the queue gave a job to
 * writes about it, except that any may cancel.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic, writeFully } from '@crucible/foundation';
import { applyEvent, isJobId, type Job, type JobChange, type JobEvent, type JobRequest, newJob } from './job.ts';

interface Entry {
  job: Job;
  readonly events: JobEvent[];
  /** Of events.jsonl, what `events` holds. */
  bytes: number;
  readonly waiting: Set<() => void>;
}

/** Milliseconds between looks at what other trainers wrote. */
const lookInterval = 250;

export class JobStore {
  readonly #root: string;
  readonly #entries = new Map<string, Entry>();

  /** Throws `data-loss` when the record of a job is damaged. */
  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
    this.list();
  }

  /** The folder that belongs to a job. */
  folder(id: string): string {
    return join(this.#root, id);
  }

  get(id: string): Job {
    return this.#entry(id).job;
  }

  find(id: string): Job | undefined {
    return this.#find(id)?.job;
  }

  /** All jobs, newest first. */
  list(): Job[] {
    return readdirSync(this.#root)
      .flatMap((id) => this.find(id) ?? [])
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id));
  }

  create(request: JobRequest): Job {
    writeFileAtomic(join(this.folder(request.id), 'job.json'), `${JSON.stringify(request, null, 2)}\n`);
    return this.append(request.id, { kind: 'state', state: 'queued', attempts: 0 });
  }

  /** Adds an event; one that changes the state or names a model is on the disk when this returns. */
  append(id: string, change: JobChange): Job {
    const entry = this.#entry(id);
    const event: JobEvent = { sequence: entry.job.lastSequence + 1, time: new Date().toISOString(), change };
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    this.#write(id, entry.bytes, line, change.kind !== 'progress');
    entry.bytes += line.byteLength;
    add(entry, [event]);
    return entry.job;
  }

  /** Events after a sequence, those to come included, until `isLast` says that there are no more. */
  async *watch(
    id: string,
    after: number,
    isLast: (job: Job) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<JobEvent> {
    for (let next = after; ;) {
      signal.throwIfAborted();
      const entry = this.#entry(id);
      while (next < entry.events.length) yield entry.events[next++]!;
      if (isLast(entry.job)) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          entry.waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, lookInterval);
        entry.waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  #entry(id: string): Entry {
    const entry = this.#find(id);
    if (!entry) throw new CrucibleError('not-found', `job ${id} does not exist`, { at: 'job_id' });
    return entry;
  }

  /** The entry with all that is on the disk. */
  #find(id: string): Entry | undefined {
    let entry = this.#entries.get(id);
    if (!entry) {
      const path = join(this.folder(id), 'job.json');
      if (!isJobId(id) || !existsSync(path)) return undefined;
      const request = parseRecord(readFileSync(path, 'utf8'), path) as JobRequest;
      entry = { job: newJob(request), events: [], bytes: 0, waiting: new Set() };
      this.#entries.set(id, entry);
    }
    this.#catchUp(id, entry);
    return entry;
  }

  #catchUp(id: string, entry: Entry): void {
    const path = this.#eventsPath(id);
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= entry.bytes) return;
    const unread = readFrom(path, entry.bytes, size);
    const whole = unread.subarray(0, unread.lastIndexOf('\n') + 1);
    const lines = whole.toString('utf8').split('\n').slice(0, -1);
    add(
      entry,
      lines.map((line, i) => parseRecord(line, `${path}:${entry.events.length + i + 1}`) as JobEvent),
    );
    entry.bytes += whole.byteLength;
  }

  /** Puts a line at `position`, where the last whole one ends. */
  #write(id: string, position: number, line: Uint8Array, durably: boolean): void {
    const path = this.#eventsPath(id);
    const descriptor = openSync(path, 'a');
    try {
      if (fstatSync(descriptor).size > position) ftruncateSync(descriptor, position);
      writeFully(descriptor, line);
      if (durably) fsyncSync(descriptor);
    } catch (reason) {
      ftruncateSync(descriptor, position);
      const { code, message } = CrucibleError.from(reason);
      throw new CrucibleError(code, `${path}: ${code === 'resource-exhausted' ? 'the disk is full' : message}`, {
        cause: reason,
      });
    } finally {
      closeSync(descriptor);
    }
  }

  #eventsPath(id: string): string {
    return join(this.folder(id), 'events.jsonl');
  }
}

function add(entry: Entry, events: readonly JobEvent[]): void {
  entry.events.push(...events);
  entry.job = events.reduce(applyEvent, entry.job);
  for (const wake of [...entry.waiting]) wake();
}

function readFrom(path: string, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  const descriptor = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.byteLength, start));
  } finally {
    closeSync(descriptor);
  }
}

function parseRecord(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (reason) {
    throw new CrucibleError('data-loss', `${where}: the record of the job is damaged: ${(reason as Error).message}`, {
      cause: reason,
      at: where,
    });
  }
}
