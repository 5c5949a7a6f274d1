/** The events of the embedded bus: a journal of them, with an index in memory of where each one lies. */
import type { Receipt } from '../bus.ts';
import type { EventType } from '../catalogue.ts';
import { decodeData } from '../event.ts';
import type { BusEvent } from '../event.ts';
import { RecentIds } from '../recent-ids.ts';
import { duplicateWindow } from '../transport.ts';
import { Journal } from './journal.ts';
import type { Place, Retention } from './journal.ts';
import type { SegmentStore } from './segment.ts';

export interface Entry {
  readonly sequence: number;
  readonly type: EventType;
  readonly place: Place;
}

/** A record is this as JSON, a line feed, and the data as JSON: the index is read without parsing the data. */
type RecordHead = Omit<BusEvent, 'data'> & { readonly sequence: number };

export class EventStore {
  readonly #journal: Journal;
  readonly #retention: Retention;
  /** By segment, oldest first; sequences ascend. */
  readonly #index: Map<number, Entry[]>;
  /** What was published lately; the receipt is still to come while the disk has not confirmed the event. */
  readonly #published: RecentIds<Promise<Receipt>>;
  #nextSequence: number;
  #lastStored: number;

  private constructor(
    journal: Journal,
    retention: Retention,
    index: Map<number, Entry[]>,
    published: RecentIds<Promise<Receipt>>,
    above: number,
  ) {
    this.#journal = journal;
    this.#retention = retention;
    this.#index = index;
    this.#published = published;
    this.#lastStored = [...index.values()].at(-1)?.at(-1)?.sequence ?? 0;
    this.#nextSequence = Math.max(this.#lastStored, above) + 1;
  }

  /**
   * Numbers new events above `above`: where events were lost with their files, cursors must not take new ones for
   * those that they have seen.
   */
  static async open(
    segments: SegmentStore,
    segmentBytes: number,
    retention: Retention,
    above: number,
  ): Promise<EventStore> {
    const index = new Map<number, Entry[]>();
    const published = new RecentIds<Promise<Receipt>>({ maxAge: duplicateWindow });
    const journal = await Journal.open(segments, segmentBytes, (record, place, time) => {
      const { sequence, id, type } = headOf(record);
      addTo(index, { sequence, type, place });
      published.add(id, Promise.resolve({ sequence, duplicate: false }), time);
    });
    return new EventStore(journal, retention, index, published, above);
  }

  get failure(): Journal['failure'] {
    return this.#journal.failure;
  }

  get bytes(): number {
    return this.#journal.bytes;
  }

  /** The sequence of the newest event; 0 when there was none yet. */
  get lastSequence(): number {
    return this.#lastStored;
  }

  /** Resolves when the disk has confirmed the event. */
  async append(event: BusEvent, data: Uint8Array): Promise<Receipt> {
    const earlier = this.#published.get(event.id);
    if (earlier !== undefined) return { ...(await earlier), duplicate: true };
    const stored = this.#write(event, data);
    this.#published.add(event.id, stored);
    try {
      return await stored;
    } catch (reason) {
      this.#published.delete(event.id);
      throw reason;
    }
  }

  async #write({ id, source, type, subject, time }: BusEvent, data: Uint8Array): Promise<Receipt> {
    const sequence = this.#nextSequence++;
    const head: RecordHead = { sequence, id, source, type, ...(subject === undefined ? {} : { subject }), time };
    const place = await this.#journal.append(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), data]), true);
    addTo(this.#index, { sequence, type, place });
    this.#lastStored = sequence;
    return { sequence, duplicate: false };
  }

  /** The first event of one of the types at `sequence` or after it. */
  find(types: ReadonlySet<EventType>, sequence: number): Entry | undefined {
    for (const entries of this.#index.values()) {
      if (entries.at(-1)!.sequence < sequence) continue;
      for (let i = firstAtLeast(entries, sequence); i < entries.length; i++)
        if (types.has(entries[i]!.type)) return entries[i];
    }
    return undefined;
  }

  /** The event; undefined when retention has removed it. */
  read(sequence: number): BusEvent | undefined {
    for (const entries of this.#index.values()) {
      if (entries.at(-1)!.sequence < sequence) continue;
      const entry = entries[firstAtLeast(entries, sequence)]!;
      return entry.sequence === sequence ? eventFrom(this.#journal.read(entry.place)) : undefined;
    }
    return undefined;
  }

  /** Removes whole segments that are beyond the retention, except those with an event that `isNeeded`. */
  trim(isNeeded: (entry: Entry) => boolean): void {
    for (const segment of this.#journal.trim(this.#retention, (number) => !!this.#index.get(number)?.some(isNeeded)))
      this.#index.delete(segment);
  }

  get segments(): number {
    return this.#index.size;
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

function addTo(index: Map<number, Entry[]>, entry: Entry): void {
  const entries = index.get(entry.place.segment);
  if (entries === undefined) index.set(entry.place.segment, [entry]);
  else entries.push(entry);
}

/** The index of the first entry whose sequence is not below `sequence`. */
function firstAtLeast(entries: readonly Entry[], sequence: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function headOf(record: Buffer): RecordHead {
  return JSON.parse(record.toString('utf8', 0, record.indexOf('\n'))) as RecordHead;
}

function eventFrom(record: Buffer): BusEvent {
  const { id, source, type, subject, time } = headOf(record);
  const data = decodeData(record.subarray(record.indexOf('\n') + 1));
  return { id, source, type, ...(subject === undefined ? {} : { subject }), time, data } as BusEvent;
}
