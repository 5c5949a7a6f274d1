import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame } from './frame.ts';
import { Journal } from './journal.ts';
import { folderSegments, memorySegments } from './segment.ts';
import type { Segment, SegmentStore } from './segment.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-journal-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const file = (number: number): string => join(folder, `log-000000000${number}.log`);
const files = (): string[] => readdirSync(folder).sort();

async function open(segmentBytes = 1 << 20, store = folderSegments(folder, 'log')) {
  const records: string[] = [];
  const journal = await Journal.open(store, segmentBytes, (payload) => void records.push(payload.toString()));
  return { journal, records };
}

/** Opens, appends, closes. */
async function write(texts: readonly string[], segmentBytes?: number): Promise<void> {
  const { journal } = await open(segmentBytes);
  for (const text of texts) await journal.append(Buffer.from(text), true);
  await journal.close();
}

async function readAll(): Promise<string[]> {
  const { journal, records } = await open();
  await journal.close();
  return records;
}

describe('Journal', () => {
  it('gives back what was appended, in order, and reads single records', async () => {
    const { journal } = await open();
    const texts = Array.from({ length: 100 }, (_, i) => `record ${i} é`);
    const places = await Promise.all(texts.map((text, i) => journal.append(Buffer.from(text), i % 2 === 0)));
    expect(places.map((place) => journal.read(place).toString())).toEqual(texts);
    await journal.close();
    expect(await readAll()).toEqual(texts);
  });

  it('goes on at the end after it was opened again', async () => {
    await write(['a']);
    await write(['b']);
    expect(await readAll()).toEqual(['a', 'b']);
    expect(files()).toEqual(['log-0000000001.log']);
  });

  it('confirms records that wait together with one write and one sync', async () => {
    const calls: string[] = [];
    const { journal } = await open(
      1 << 20,
      told(memorySegments(), (call) => void calls.push(call)),
    );
    calls.length = 0;
    await Promise.all(['a', 'b', 'c'].map((text) => journal.append(Buffer.from(text), true)));
    expect(calls).toEqual(['append', 'sync']);
    calls.length = 0;
    await journal.append(Buffer.from('d'), false);
    expect(calls).toEqual(['append']);
  });

  describe('after a crash', () => {
    const whole = encodeFrame(Buffer.from('never acknowledged'), 1, 0);
    for (const [name, tail] of Object.entries({
      'half a header': whole.subarray(0, 9),
      'half a record': whole.subarray(0, -1),
      zeros: Buffer.alloc(5000),
      'a record with a wrong checksum': Buffer.concat([whole.subarray(0, -1), Buffer.from('x')]),
      'a broken record and a whole one that the disk had not confirmed': Buffer.concat([
        whole.subarray(0, -1),
        Buffer.from('x'),
        whole,
      ]),
    }))
      it(`cuts ${name} from the end`, async () => {
        await write(['a', 'b']);
        const before = readFileSync(file(1));
        appendFileSync(file(1), tail);
        expect(await readAll()).toEqual(['a', 'b']);
        expect(readFileSync(file(1))).toEqual(before);
        await write(['c']);
        expect(await readAll()).toEqual(['a', 'b', 'c']);
      });

    it('refuses damage to what the disk had confirmed, by file and byte, and touches nothing', async () => {
      await write(['first', 'second', 'third']);
      const bytes = readFileSync(file(1));
      const second = bytes.indexOf('second') - 20;
      bytes[second + 22]! ^= 1;
      writeFileSync(file(1), bytes);
      await expect(readAll()).rejects.toMatchObject({
        code: 'data-loss',
        at: `${file(1)}:${second}`,
        message:
          `${file(1)}: the record at byte ${second} of ${bytes.length} is damaged. ` +
          'Restore the file from a copy, or move it away to go on without its records',
      });
      expect(readFileSync(file(1))).toEqual(bytes);
    });

    it('refuses an earlier segment that is cut short', async () => {
      await write(['first', 'second', 'third'], 40);
      expect(files()).toHaveLength(2);
      const size = readFileSync(file(1)).length;
      truncateSync(file(1), size - 1);
      await expect(readAll()).rejects.toMatchObject({ code: 'data-loss', at: `${file(1)}:25` });
    });
  });

  it('begins another segment when one is full, and trims the oldest by size', async () => {
    const { journal } = await open(100);
    const text = 'x'.repeat(80);
    for (let i = 0; i < 5; i++) await journal.append(Buffer.from(text), true);
    expect(files()).toHaveLength(5);
    expect(journal.bytes).toBe(500);
    expect(journal.trim({ maxBytes: 250, maxAge: Infinity }, (segment) => segment === 2)).toEqual([1, 3, 4]);
    expect(files()).toEqual(['log-0000000002.log', 'log-0000000005.log']);
    await journal.close();
    expect(await readAll()).toEqual([text, text]);
  });

  it('trims by age, and keeps the newest records whatever their age', async () => {
    const { journal } = await open(10);
    for (const text of ['a', 'b', 'c']) await journal.append(Buffer.from(text), true);
    await sleep(20);
    expect(journal.trim({ maxBytes: Infinity, maxAge: 10_000 }, () => false)).toEqual([]);
    expect(journal.trim({ maxBytes: Infinity, maxAge: 10 }, () => false)).toEqual([1, 2]);
    await journal.close();
    expect(await readAll()).toEqual(['c']);
  });

  it('replaces everything by one record', async () => {
    const { journal } = await open();
    const appended = ['a', 'b'].map((text) => journal.append(Buffer.from(text), false));
    const replaced = journal.replaceAll(Buffer.from('a and b'));
    const later = journal.append(Buffer.from('c'), false);
    await Promise.all([...appended, replaced, later]);
    expect(files()).toEqual(['log-0000000002.log']);
    await journal.close();
    expect(await readAll()).toEqual(['a and b', 'c']);
  });

  it('refuses what does not fit on the disk, and goes on when there is room', async () => {
    const faults: Error[] = [];
    const { journal } = await open(1 << 20, told(folderSegments(folder, 'log'), failAt('append', faults)));
    await journal.append(Buffer.from('a'), true);
    faults.push(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
    await expect(journal.append(Buffer.from('b'), true)).rejects.toMatchObject({ code: 'resource-exhausted' });
    await journal.append(Buffer.from('c'), true);
    await journal.close();
    expect(await readAll()).toEqual(['a', 'c']);
  });

  it('takes nothing more after the disk has failed to confirm', async () => {
    const faults: Error[] = [];
    const { journal } = await open(1 << 20, told(folderSegments(folder, 'log'), failAt('sync', faults)));
    faults.push(new Error('EIO: i/o error, fdatasync'));
    const failure = {
      code: 'data-loss',
      at: file(1),
      message: `${file(1)}: the disk did not confirm what was written (EIO: i/o error, fdatasync); check it, then start again`,
    };
    await expect(journal.append(Buffer.from('a'), true)).rejects.toMatchObject(failure);
    await expect(journal.append(Buffer.from('b'), false)).rejects.toMatchObject(failure);
    expect(journal.failure).toMatchObject(failure);
    await journal.close();
  });

  it('takes nothing more after it was closed', async () => {
    const { journal } = await open();
    await journal.close();
    await expect(journal.append(Buffer.from('a'), true)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'the bus is closed',
    });
  });
});

/** Segments that tell before they append or sync; what `tell` throws happens instead. */
function told(store: SegmentStore, tell: (call: 'append' | 'sync') => void): SegmentStore {
  const wrap = (segment: Segment): Segment => ({
    name: segment.name,
    get size() {
      return segment.size;
    },
    append: async (bytes) => {
      tell('append');
      await segment.append(bytes);
    },
    sync: async () => {
      tell('sync');
      await segment.sync();
    },
    read: (offset, length) => segment.read(offset, length),
    truncate: (size) => segment.truncate(size),
    close: () => segment.close(),
  });
  return { ...store, create: (number) => wrap(store.create(number)), open: (number) => wrap(store.open(number)) };
}

/** Fails at the call with the next of the faults. */
function failAt(failing: 'append' | 'sync', faults: Error[]): (call: 'append' | 'sync') => void {
  return (call) => {
    const fault = call === failing ? faults.shift() : undefined;
    if (fault !== undefined) throw fault;
  };
}
