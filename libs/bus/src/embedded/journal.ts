/**
 * An append-only log of records over numbered segments.
 *
 * Durability: records that wait at the same time are written with one write and confirmed with one fdatasync (group
 * commit), and an append of a durable record resolves after that. A record that is not durable resolves after the
 * write: it survives the death of the process, not that of the machine.
 *
 * Opening cuts a torn tail: bytes at the end that form no record and that the disk had not confirmed. Damage to what
 * it had confirmed is an error (`data-loss`) that names the file and the byte.
 */
import { CrucibleError } from '@crucible/foundation';
import { decodeFrame, encodeFrame } from './frame.ts';
import type { Segment, SegmentStore } from './segment.ts';

/** Where a record lies. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** Is given every record that is there; `time`: when it was written, in ms since 1970. */
export type Visit = (payload: Buffer, place: Place, time: number) => void;

export interface Retention {
  /** Most bytes of all segments. */
  readonly maxBytes: number;
  /** In ms. */
  readonly maxAge: number;
}

interface Part {
  readonly number: number;
  readonly segment: Segment;
  /** The time of its newest record in ms since 1970; 0 without records. */
  newest: number;
}

interface Append {
  readonly payload: Uint8Array;
  readonly durable: boolean;
  /** Begin a segment with it, and remove all earlier ones when it is stored. */
  readonly replacesAll: boolean;
  readonly resolve: (place: Place) => void;
  readonly reject: (reason: CrucibleError) => void;
}

/** Written at once at most; bounds what a publisher waits for behind others. */
const maxBatchBytes = 1 << 20;

export class Journal {
  readonly #store: SegmentStore;
  readonly #segmentBytes: number;
  readonly #parts: Part[] = [];
  #waiting: Append[] = [];
  #writing: Promise<void> | undefined;
  /** Bytes of the last segment that the disk has confirmed. */
  #synced = 0;
  #failure: CrucibleError | undefined;

  private constructor(store: SegmentStore, segmentBytes: number) {
    this.#store = store;
    this.#segmentBytes = segmentBytes;
  }

  /** Visits what is there, oldest first. A segment is ended when it has reached `segmentBytes`. */
  static async open(store: SegmentStore, segmentBytes: number, visit: Visit): Promise<Journal> {
    const journal = new Journal(store, segmentBytes);
    const numbers = store.list();
    try {
      for (const number of numbers) journal.#read(number, number === numbers.at(-1), visit);
      if (numbers.length === 0) journal.#begin(1);
      // After a crash of the process, what was read may not be on the disk yet.
      await journal.#sync(journal.#parts.at(-1)!.segment);
    } catch (reason) {
      for (const { segment } of journal.#parts) segment.close();
      throw reason;
    }
    return journal;
  }

  /** Why nothing can be appended any more; undefined while all is well. */
  get failure(): CrucibleError | undefined {
    return this.#failure;
  }

  get bytes(): number {
    return this.#parts.reduce((sum, part) => sum + part.segment.size, 0);
  }

  append(payload: Uint8Array, durable: boolean): Promise<Place> {
    return this.#enqueue(payload, durable, false);
  }

  /** Appends a record that stands for all before it: they are removed as soon as it is stored. */
  replaceAll(payload: Uint8Array): Promise<Place> {
    return this.#enqueue(payload, true, true);
  }

  read(place: Place): Buffer {
    const part = this.#parts.find(({ number }) => number === place.segment);
    if (part === undefined) throw new Error(`internal: segment ${place.segment} was removed`);
    const frame = decodeFrame(part.segment.read(place.offset, place.length), 0);
    if (frame === undefined) throw damaged(part.segment, place.offset);
    return frame.payload;
  }

  /**
   * Removes the oldest segments until the rest is within the bounds, and gives their numbers; segments that
   * `isNeeded` are passed over. The newest one with records stays always: numbering goes on from it.
   */
  trim({ maxBytes, maxAge }: Retention, isNeeded: (segment: number) => boolean): number[] {
    const kept = Math.max(
      this.#parts.findLastIndex(({ newest }) => newest > 0),
      0,
    );
    const removed: number[] = [];
    for (const part of this.#parts.slice(0, kept)) {
      const tooMuch = this.bytes > maxBytes;
      const tooOld = part.newest < Date.now() - maxAge;
      if ((tooMuch || tooOld) && !isNeeded(part.number)) {
        this.#remove(part);
        removed.push(part.number);
      }
    }
    return removed;
  }

  /** Writes what waits, and closes the files. */
  async close(): Promise<void> {
    await this.#writing;
    const failed = this.#failure;
    this.#failure ??= new CrucibleError('failed-precondition', 'the bus is closed');
    try {
      if (failed === undefined) await this.#parts.at(-1)!.segment.sync();
    } finally {
      for (const { segment } of this.#parts) segment.close();
    }
  }

  #enqueue(payload: Uint8Array, durable: boolean, replacesAll: boolean): Promise<Place> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, durable, replacesAll, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async #write(): Promise<void> {
    // What is appended in the same turn of the event loop shares a batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const places = await this.#writeBatch(batch);
        batch.forEach(({ resolve }, i) => resolve(places[i]!));
      } catch (reason) {
        const error = CrucibleError.from(reason);
        for (const { reject } of batch) reject(error);
      }
    }
    // In the same turn as the look at what waits: nothing can be added in between.
    this.#writing = undefined;
  }

  #nextBatch(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const { payload, replacesAll } of this.#waiting) {
      if (count > 0 && (replacesAll || bytes + payload.byteLength > maxBatchBytes)) break;
      bytes += payload.byteLength;
      count++;
      if (replacesAll) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(batch: readonly Append[]): Promise<Place[]> {
    const { replacesAll } = batch[0]!;
    if (replacesAll || this.#parts.at(-1)!.segment.size >= this.#segmentBytes) await this.#endSegment();
    const part = this.#parts.at(-1)!;
    const time = Date.now();
    const frames = batch.map(({ payload }) => encodeFrame(payload, time, this.#synced));
    let offset = part.segment.size;
    await part.segment.append(Buffer.concat(frames));
    if (batch.some(({ durable }) => durable)) await this.#sync(part.segment);
    part.newest = time;
    if (replacesAll) for (const earlier of this.#parts.slice(0, -1)) this.#remove(earlier);
    return frames.map(({ byteLength: length }) => {
      const place = { segment: part.number, offset, length };
      offset += length;
      return place;
    });
  }

  async #endSegment(): Promise<void> {
    const { number, segment } = this.#parts.at(-1)!;
    await this.#sync(segment);
    this.#begin(number + 1);
  }

  /** After a failed fsync nobody knows what is on the disk: nothing may be written on top of it. */
  async #sync(segment: Segment): Promise<void> {
    try {
      await segment.sync();
    } catch (reason) {
      const { code, message } = CrucibleError.from(reason);
      this.#failure = new CrucibleError(
        code === 'internal' ? 'data-loss' : code,
        `${segment.name}: the disk did not confirm what was written (${message}); check it, then start again`,
        { cause: reason, at: segment.name },
      );
      throw this.#failure;
    }
    this.#synced = segment.size;
  }

  #begin(number: number): void {
    this.#parts.push({ number, segment: this.#store.create(number), newest: 0 });
    this.#synced = 0;
  }

  #remove(part: Part): void {
    this.#parts.splice(this.#parts.indexOf(part), 1);
    part.segment.close();
    this.#store.remove(part.number);
  }

  #read(number: number, isLast: boolean, visit: Visit): void {
    const segment = this.#store.open(number);
    const part: Part = { number, segment, newest: 0 };
    this.#parts.push(part);
    const bytes = segment.read(0, segment.size);
    let offset = 0;
    for (;;) {
      const frame = decodeFrame(bytes, offset);
      if (frame === undefined) break;
      visit(frame.payload, { segment: number, offset, length: frame.end - offset }, frame.time);
      part.newest = frame.time;
      offset = frame.end;
    }
    if (offset < bytes.byteLength) {
      // An ended segment was confirmed as a whole.
      if (!isLast || wasConfirmed(bytes, offset)) throw damaged(segment, offset);
      segment.truncate(offset);
    }
  }
}

/** Whether a later record says that the disk had confirmed what is damaged at `offset`. */
function wasConfirmed(bytes: Buffer, offset: number): boolean {
  for (let at = offset + 1; at < bytes.byteLength; at++)
    if ((decodeFrame(bytes, at)?.synced ?? 0) > offset) return true;
  return false;
}

function damaged(segment: Segment, offset: number): CrucibleError {
  return new CrucibleError(
    'data-loss',
    `${segment.name}: the record at byte ${offset} of ${segment.size} is damaged. ` +
      'Restore the file from a copy, or move it away to go on without its records',
    { at: `${segment.name}:${offset}` },
  );
}
