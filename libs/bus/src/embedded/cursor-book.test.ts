import { expect, it } from 'vitest';
import { CursorBook } from './cursor-book.ts';
import type { Segment, SegmentStore } from './segment.ts';
import { memorySegments } from './segment.ts';

/** Segments in memory that can be opened again. */
function keptSegments(): SegmentStore {
  const memory = memorySegments();
  const segments = new Map<number, Segment>();
  return {
    list: () => [...segments.keys()].sort((a, b) => a - b),
    open: (number) => segments.get(number)!,
    create: (number) => {
      segments.set(number, memory.create(number));
      return segments.get(number)!;
    },
    remove: (number) => void segments.delete(number),
  };
}

it('knows after opening how far every cursor had come', async () => {
  const segments = keptSegments();
  const book = await CursorBook.open(segments, 1 << 20);
  await book.add('reader', 7);
  await book.add('queue', 0);
  await book.tried('queue', 3, 1);
  await book.tried('queue', 5, 1);
  await book.tried('queue', 3, 2);
  await book.settled('queue', 5, true);
  await book.close();
  const again = await CursorBook.open(segments, 1 << 20);
  expect(again.get('reader')).toEqual({ scanned: 7, open: new Map() });
  expect(again.get('queue')).toEqual({ scanned: 5, open: new Map([[3, 2]]) });
  expect(again.get('nobody')).toBeUndefined();
});

it('replaces its records by their sum when they have become many', async () => {
  const segments = keptSegments();
  const book = await CursorBook.open(segments, 1000);
  await book.add('reader', 0);
  let most = 0;
  for (let sequence = 1; sequence <= 500; sequence++) {
    await book.tried('reader', sequence, 1);
    if (sequence > 3) await book.settled('reader', sequence, false);
    most = Math.max(most, ...segments.list().map((number) => segments.open(number).size));
  }
  expect(most).toBeLessThan(1200);
  expect(segments.list()).toHaveLength(1);
  await book.close();
  const again = await CursorBook.open(segments, 1000);
  expect(again.get('reader')).toEqual({ scanned: 500, open: new Map([1, 2, 3].map((sequence) => [sequence, 1])) });
});

it('is right when records come while it is being replaced', async () => {
  const segments = keptSegments();
  const book = await CursorBook.open(segments, 500);
  await book.add('queue', 0);
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await book.tried('queue', i + 1, 1);
      if (i % 2 === 0) await book.settled('queue', i + 1, true);
    }),
  );
  const before = book.get('queue')!;
  expect(before.open.size).toBe(100);
  const sum = { scanned: before.scanned, open: new Map(before.open) };
  await book.close();
  expect((await CursorBook.open(segments, 500)).get('queue')).toEqual(sum);
});
