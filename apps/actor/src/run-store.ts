/** The runs of this actor: those under way and those that have ended, on the disk, as many as are kept. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput, removeLeftovers } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';
import { type Asked, type Dated, type Entry, Journal, journalBytes, readJournal, type Start } from './journal.ts';

export type RunState = 'running' | 'waiting' | 'interrupted' | 'ended';

/** What is known of a run without reading its journal. */
export interface RunRecord {
  readonly runId: string;
  readonly strategy: string;
  readonly model: string;
  readonly modelVersion: number;
  /** The beginning of it. */
  readonly question: string;
  readonly createdAt: number;
  lastStep: number;
  bytes: number;
  readonly asked: Map<string, Asked>;
  answer?: Extract<Step, { readonly kind: 'answer' }>;
  end?: Extract<Step, { readonly kind: 'end' }>;
  endedAt?: number;
  /** Somebody works on it. */
  isOpen: boolean;
}

export interface StoreLimits {
  /** Runs that are kept. Default 1000. */
  readonly mostRuns?: number;
  /** Bytes of all of them. Default 256 MiB. */
  readonly mostBytes?: number;
}

const ending = '.jsonl';
const shownCharacters = 1000;

export class RunStore {
  readonly #folder: string;
  readonly #records = new Map<string, RunRecord>();
  readonly #mostRuns: number;
  readonly #mostBytes: number;

  constructor(folder: string, log: Logger, { mostRuns = 1000, mostBytes = 256 * 2 ** 20 }: StoreLimits = {}) {
    this.#folder = folder;
    this.#mostRuns = mostRuns;
    this.#mostBytes = mostBytes;
    mkdirSync(folder, { recursive: true });
    removeLeftovers(folder);
    for (const name of readdirSync(folder)) {
      if (!name.endsWith(ending)) continue;
      const path = join(folder, name);
      try {
        const { entries, bytes } = readJournal(path);
        const record = recordOf(entries[0] as Dated & Start, bytes);
        for (const entry of entries) applyEntry(record, entry);
        this.#records.set(record.runId, record);
      } catch (reason) {
        // One that cannot be read is no reason to serve nobody; it stays for whoever looks into it.
        log.error({ path, error: CrucibleError.from(reason).message }, 'the journal of a run cannot be read');
      }
    }
    this.#prune();
  }

  /** Newest first. */
  list(): readonly RunRecord[] {
    return [...this.#records.values()].sort((a, b) => b.createdAt - a.createdAt || (a.runId < b.runId ? 1 : -1));
  }

  get(runId: string): RunRecord {
    const record = this.#records.get(runId);
    if (!record)
      throw new CrucibleError('not-found', `run_id: there is no run ${JSON.stringify(runId)}`, { at: 'run_id' });
    return record;
  }

  entries(runId: string): readonly Dated[] {
    this.get(runId);
    return readJournal(this.#path(runId)).entries;
  }

  create(start: Start): OpenRun {
    const { runId } = start;
    if (this.#records.has(runId) || journalBytes(this.#path(runId)) > 0)
      throw new CrucibleError('conflict', `run_id: there is a run ${runId}`, { at: 'run_id' });
    const { journal, start: dated } = Journal.create(this.#path(runId), start);
    const record = recordOf(dated as Dated & Start, journal.bytes);
    this.#records.set(runId, record);
    record.isOpen = true;
    this.#prune();
    return new OpenRun(record, journal, [dated], () => this.#prune());
  }

  /** To go on with it. Nobody else may work on it. */
  open(runId: string): OpenRun {
    const record = this.get(runId);
    if (record.isOpen) throw new CrucibleError('conflict', `run_id: somebody listens to ${runId}`, { at: 'run_id' });
    const { journal, entries } = Journal.open(this.#path(runId));
    record.isOpen = true;
    return new OpenRun(record, journal, entries, () => this.#prune());
  }

  #path(runId: string): string {
    return join(this.#folder, `${runId}${ending}`);
  }

  /** The oldest go first: those that have ended, then those that nobody listens to, last those that wait for people. */
  #prune(): void {
    const states: RunState[] = ['ended', 'interrupted', 'waiting'];
    const doomed = this.list()
      .filter(({ isOpen }) => !isOpen)
      .sort((a, b) => states.indexOf(stateOf(b)) - states.indexOf(stateOf(a)) || b.createdAt - a.createdAt);
    let bytes = this.list().reduce((sum, record) => sum + record.bytes, 0);
    while (doomed.length > 0 && (this.#records.size > this.#mostRuns || bytes > this.#mostBytes)) {
      const record = doomed.pop()!;
      rmSync(this.#path(record.runId), { force: true });
      this.#records.delete(record.runId);
      bytes -= record.bytes;
    }
  }
}

/** A run that is worked on. */
export class OpenRun implements Disposable {
  readonly record: RunRecord;
  /** What happened before it was opened. */
  readonly entries: readonly Dated[];
  readonly #journal: Journal;
  readonly #onClose: () => void;
  #closed = false;

  constructor(record: RunRecord, journal: Journal, entries: readonly Dated[], onClose: () => void) {
    this.record = record;
    this.entries = entries;
    this.#journal = journal;
    this.#onClose = onClose;
  }

  append(entry: Entry, options?: { readonly lasting?: boolean }): void {
    // Work that was broken off may still come to its end.
    if (this.#closed) return;
    applyEntry(this.record, this.#journal.append(entry, options));
    this.record.bytes = this.#journal.bytes;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#journal[Symbol.dispose]();
    this.record.isOpen = false;
    this.#onClose();
  }
}

export function stateOf({ end, isOpen, asked }: RunRecord): RunState {
  if (end) return 'ended';
  if (isOpen) return asked.size > 0 ? 'waiting' : 'running';
  return [...asked.values()].some(({ expiresAt }) => expiresAt > Date.now()) ? 'waiting' : 'interrupted';
}

/** Letters, digits and a few signs: it is the name of a file too. */
export function assertRunId(runId: string): void {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(runId))
    throw invalidInput(
      `run_id: ${JSON.stringify(runId.slice(0, 100))} is not 1 to 64 of a-z, A-Z, 0-9, "-", "_" and ".", the first a letter or digit`,
      { at: 'run_id' },
    );
}

function recordOf({ runId, spec, model, modelVersion, at }: Dated & Start, bytes: number): RunRecord {
  return {
    runId,
    strategy: spec.strategy,
    model,
    modelVersion,
    question: spec.question.slice(0, shownCharacters).toWellFormed(),
    createdAt: at,
    lastStep: 0,
    bytes,
    asked: new Map(),
    isOpen: false,
  };
}

function applyEntry(record: RunRecord, entry: Dated): void {
  switch (entry.kind) {
    case 'step': {
      const { step } = entry;
      record.lastStep = step.number;
      if (step.kind === 'answer') {
        const text = step.text.slice(0, shownCharacters).toWellFormed();
        record.answer = { ...step, text, citations: [] };
      }
      if (step.kind === 'end') {
        record.end = step;
        record.endedAt = entry.at;
        record.asked.clear();
      }
      break;
    }
    case 'asked': {
      const { callId, tool, description, input, expiresAt } = entry;
      record.asked.set(callId, { callId, tool, description, input, expiresAt });
      break;
    }
    case 'decided':
      record.asked.delete(entry.callId);
      break;
    default:
      break;
  }
}
