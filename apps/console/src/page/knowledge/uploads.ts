/** Files on their way into collections: a few at a time, each with what became of it. They go on while other pages are open. */
import { isAbort, messageOf } from '../api/http.ts';
import { type UploadResult, uploadSource } from '../api/knowledge.ts';
import { announce } from '../shell/announcer.tsx';
import { Store } from '../store.ts';
import { count } from '../text/format.ts';

export interface Upload {
  readonly id: number;
  readonly collection: string;
  readonly name: string;
  readonly size: number;
  readonly state: 'waiting' | 'sending' | 'reading' | 'done' | 'failed' | 'stopped';
  /** Of the bytes that are sent, 0 to 1. */
  readonly share: number;
  readonly result: UploadResult | undefined;
  readonly error: string | undefined;
}

export interface NamedFile {
  /** With the folders that it was in. */
  readonly name: string;
  readonly file: File;
}

export const uploads = new Store<readonly Upload[]>([]);

/** Counts up whenever a document has gone in: what is shown of collections is old then. */
export const arrivals = new Store(0);

const mostAtOnce = 2;

const waiting: { readonly id: number; readonly file: File }[] = [];
const stopping = new Map<number, AbortController>();
let lastId = 0;
let atWork = 0;

export function addUploads(collection: string, files: readonly NamedFile[]): void {
  const added = files.map(({ name, file }): Upload => {
    const id = ++lastId;
    waiting.push({ id, file });
    stopping.set(id, new AbortController());
    return {
      id,
      collection,
      name,
      size: file.size,
      state: 'waiting',
      share: 0,
      result: undefined,
      error: undefined,
    };
  });
  uploads.update((before) => [...added, ...before]);
  work();
}

export function stopUpload(id: number): void {
  stopping.get(id)?.abort();
  const place = waiting.findIndex((each) => each.id === id);
  if (place >= 0) waiting.splice(place, 1);
  change(id, ({ state }) => (state === 'waiting' ? { state: 'stopped' } : {}));
}

export function forgetUploads(): void {
  uploads.update((before) => before.filter(({ state }) => !isOver(state)));
}

export function isOver(state: Upload['state']): boolean {
  return state === 'done' || state === 'failed' || state === 'stopped';
}

function work(): void {
  while (atWork < mostAtOnce) {
    const next = waiting.shift();
    if (!next) return;
    atWork++;
    void send(next.id, next.file).finally(() => {
      atWork--;
      stopping.delete(next.id);
      work();
      if (atWork === 0) tellEnd();
    });
  }
}

function tellEnd(): void {
  const failed = uploads.get().filter(({ state }) => state === 'failed').length;
  const done = uploads.get().filter(({ state }) => state === 'done').length;
  announce(`${count(done, 'file')} uploaded${failed === 0 ? '' : `, ${failed} failed`}.`);
}

async function send(id: number, file: File): Promise<void> {
  const upload = uploads.get().find((each) => each.id === id)!;
  change(id, () => ({ state: 'sending' }));
  try {
    const result = await uploadSource(
      upload.collection,
      upload.name,
      file,
      (share) => change(id, () => ({ share, state: share >= 1 ? 'reading' : 'sending' })),
      stopping.get(id)!.signal,
    );
    // A source of which nothing could be read is no success.
    const [first] = result.failures;
    const isFailure = result.documents.length === 0 && first !== undefined && !result.unchanged;
    change(id, () => ({
      state: isFailure ? 'failed' : 'done',
      share: 1,
      result,
      error: isFailure ? first.message : undefined,
    }));
    arrivals.update((before) => before + 1);
  } catch (reason) {
    change(id, () => (isAbort(reason) ? { state: 'stopped' } : { state: 'failed', error: messageOf(reason) }));
  }
}

function change(id: number, part: (upload: Upload) => Partial<Upload>): void {
  uploads.update((before) => before.map((each) => (each.id === id ? { ...each, ...part(each) } : each)));
}
