/** The runs of this actor: those under way and those that have ended, on the disk, as many as are kept. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput, removeLeftovers } from '@crucible/foundation';
import type { Picture, Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';
import { RunPictures } from './run-pictures.ts';
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
  /** What it searches; undefined: nothing. */
  readonly collection: string | undefined;
  lastStep: number;
  /** Of its journal and its pictures. */
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
  readonly #pictures: RunPictures;
  readonly #records = new Map<string, RunRecord>();
  readonly #mostRuns: number;
  readonly #mostBytes: number;

  /** `parent`: the folder of all that the actor keeps. */
  constructor(parent: string, log: Logger, { mostRuns = 1000, mostBytes = 256 * 2 ** 20 }: StoreLimits = {}) {
    const folder = join(parent, 'runs');
    this.#folder = folder;
    this.#pictures = new RunPictures(join(parent, 'pictures'));
    this.#mostRuns = mostRuns;
    this.#mostBytes = mostBytes;
    mkdirSync(folder, { recursive: true });
    removeLeftovers(folder);
    for (const name of readdirSync(folder)) {
      if (!name.endsWith(ending)) continue;
      const path = join(folder, name);
      try {
        const { entries, bytes } = readJournal(path);
        const start = entries[0] as Dated & Start;
        const record = recordOf(start, bytes + this.#pictures.bytes(start.runId));
        for (const entry of entries) applyEntry(record, entry);
        this.#records.set(record.runId, record);
      } catch (reason) {
        // One that cannot be read is no reason to serve nobody; it stays for whoever looks into it.
        log.error({ path, error: CrucibleError.from(reason).message }, 'the journal of a run cannot be read');
      }
    }
    this.#pictures.retain((runId) => this.#records.has(runId) || journalBytes(this.#path(runId)) > 0);
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

  picture(runId: string, id: string): Uint8Array {
    this.get(runId);
    return this.#pictures.read(runId, id);
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
    return this.#opened(record, journal, [dated]);
  }

  /** To go on with it. Nobody else may work on it. */
  open(runId: string): OpenRun {
    const record = this.get(runId);
    if (record.isOpen) throw new CrucibleError('conflict', `run_id: somebody listens to ${runId}`, { at: 'run_id' });
    const { journal, entries } = Journal.open(this.#path(runId));
    record.isOpen = true;
    return this.#opened(record, journal, entries);
  }

  #opened(record: RunRecord, journal: Journal, entries: readonly Dated[]): OpenRun {
    const keepPicture = (png: Uint8Array): Picture => this.#pictures.keep(record.runId, png);
    const pictureBytes = (): number => this.#pictures.bytes(record.runId);
    return new OpenRun({ record, journal, entries, keepPicture, pictureBytes, onClose: () => this.#prune() });
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
      this.#pictures.remove(record.runId);
      rmSync(this.#path(record.runId), { force: true });
      this.#records.delete(record.runId);
      bytes -= record.bytes;
    }
  }
}

interface OpenRunInit {
  readonly record: RunRecord;
  readonly journal: Journal;
  readonly entries: readonly Dated[];
  readonly keepPicture: (png: Uint8Array) => Picture;
  readonly pictureBytes: () => number;
  readonly onClose: () => void;
}

/** A run that is worked on. */
export class OpenRun implements Disposable {
  readonly record: RunRecord;
  /** What happened before it was opened. */
  readonly entries: readonly Dated[];
  readonly #init: OpenRunInit;
  #pictureBytes: number;
  #closed = false;

  constructor(init: OpenRunInit) {
    this.record = init.record;
    this.entries = init.entries;
    this.#init = init;
    this.#pictureBytes = init.pictureBytes();
  }

  append(entry: Entry, options?: { readonly lasting?: boolean }): void {
    // Work that was broken off may still come to its end.
    if (this.#closed) return;
    const { journal } = this.#init;
    applyEntry(this.record, journal.append(entry, options));
    this.record.bytes = journal.bytes + this.#pictureBytes;
  }

  /** A PNG; throws where there are as many as a run may have. */
  keepPicture(png: Uint8Array): Picture {
    if (this.#closed) throw new CrucibleError('cancelled', 'the run is not worked on any more');
    const picture = this.#init.keepPicture(png);
    this.#pictureBytes = this.#init.pictureBytes();
    return picture;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#init.journal[Symbol.dispose]();
    this.record.isOpen = false;
    this.#init.onClose();
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
  const { knowledge } = spec;
  return {
    runId,
    strategy: spec.strategy,
    model,
    modelVersion,
    question: spec.question.slice(0, shownCharacters).toWellFormed(),
    createdAt: at,
    collection: knowledge && (knowledge.collection === '' ? 'default' : knowledge.collection),
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
